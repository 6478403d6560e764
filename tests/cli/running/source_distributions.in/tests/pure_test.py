import fixture_pure


def test_value():
    assert fixture_pure.VALUE == 1
