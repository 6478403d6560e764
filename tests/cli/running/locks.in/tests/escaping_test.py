import fixture_escaping


def test_value():
    assert fixture_escaping.VALUE == 1
