from app.used import USED


def test_used():
    assert USED == 1
