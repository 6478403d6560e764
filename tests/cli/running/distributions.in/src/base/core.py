import six  # noqa: F401


def answer():
    return 42
