import fixture_app


def main() -> str:
    return fixture_app.__name__
