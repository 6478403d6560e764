from app.names import polite


def test_names_begin_with_capitals():
    assert polite("ada") == "Ada"


def test_names_may_be_empty():
    assert polite("") == ""
