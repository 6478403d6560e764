import os


def test_only_what_was_asked_for_is_there():
    assert os.environ["GREETING"] == "hello"
    assert os.environ["FROM_CALLER"] == "copied"
    assert "NOT_ASKED_FOR" not in os.environ
