def test_fails_each_time():
    assert {1, 2, 3} == {3, 4}
