from app.login import is_valid


def test_login_with_a_name() -> None:
    assert is_valid("ada")


def test_login_without_a_name() -> None:
    assert not is_valid("")
