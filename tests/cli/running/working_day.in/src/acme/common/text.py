import fixture_sound


def greeting(name: str) -> str:
    return f"hello {name}, {fixture_sound.VALUE}"
