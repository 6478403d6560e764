"""A library."""


def answer() -> int:
    """The answer."""
    return 42
