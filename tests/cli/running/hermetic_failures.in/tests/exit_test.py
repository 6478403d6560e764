import os


def test_first():
    pass


def test_exit():
    os._exit(0)


def test_wrong():
    assert 1 + 1 == 3
