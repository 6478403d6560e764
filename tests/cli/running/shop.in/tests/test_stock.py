def test_stock():
    pass
