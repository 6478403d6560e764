import fixture_sound

GREETING = f"hello {fixture_sound.VALUE}"


def main():
    print(GREETING)
