import fixture_truncated


def test_value():
    assert fixture_truncated.VALUE == 1
