import datetime


def test_writes_the_time():
    with open("extra-output/built.txt", "w") as file:
        file.write(f"built at {datetime.datetime.now()}\n")
