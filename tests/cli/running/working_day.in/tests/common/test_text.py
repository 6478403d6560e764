import os

from acme.common.text import greeting


def test_greeting():
    assert greeting("you") == "hello you, 1"


def test_variables():
    assert os.environ.get("MYVARIABLE", "unset") in ("unset", "MYVALUE")
