def test_x():\n    pass
