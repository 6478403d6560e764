def test_failing():
    assert False
