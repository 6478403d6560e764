def test_login():
    pass
