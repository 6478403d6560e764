def test_right():
    assert 1 + 1 == 2


def test_wrong():
    print("said before it failed")
    assert 1 + 1 == 3
