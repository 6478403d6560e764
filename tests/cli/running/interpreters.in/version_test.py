import sys


def test_version():
    assert sys.version_info[:3] == (3, 12, 1)
