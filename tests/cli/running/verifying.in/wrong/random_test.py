import secrets


def test_writes_a_random_name():
    with open("extra-output/token.txt", "w") as file:
        file.write(f"token {secrets.token_hex(16)}\n")
