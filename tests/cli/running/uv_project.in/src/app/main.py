import sys

from app.login import is_valid


def main() -> None:
    print(is_valid(sys.argv[1]))


if __name__ == "__main__":
    main()
