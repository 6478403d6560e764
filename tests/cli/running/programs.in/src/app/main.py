import sys

import fixture_app


def main():
    import pkgutil

    print(pkgutil.get_data("app", "data.txt").decode().strip(), fixture_app.VALUE, sys.argv[1:])


def handle(event, context):
    return fixture_app.VALUE


if __name__ == "__main__":
    main()
