import fixture_sound


def test_value():
    assert fixture_sound.VALUE == 1
