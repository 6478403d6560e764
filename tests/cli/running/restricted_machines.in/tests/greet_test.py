from app.greet import greet


def test_a_name_is_greeted(name):
    assert greet(name) == "Hello Ada Lovelace"
