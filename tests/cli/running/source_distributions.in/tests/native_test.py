import fixture_native


def test_value():
    assert fixture_native.VALUE == 1
