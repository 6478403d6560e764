import pytest

from base import Inherited


def test_passes():
    pass


@pytest.mark.parametrize("text", ["plain", "a|b <c>", "[x::y]"])
def test_with_parameters(text):
    assert text == "plain"


class TestClass(Inherited):
    value = 2

    def test_method(self):
        pass


@pytest.fixture
def broken():
    raise RuntimeError("no setup")


def test_without_setup(broken):
    pass


def test_skipped():
    pytest.skip("not today")


@pytest.mark.xfail(reason="known")
def test_expected():
    assert False
