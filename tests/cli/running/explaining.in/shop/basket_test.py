from shop.basket import total


def test_total():
    assert total(200) > 200
