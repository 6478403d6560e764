import fixture_reaching


def test_value():
    assert fixture_reaching.VALUE == 1
