from shop.prices import with_tax


def test_tax_is_added():
    assert with_tax(100) == 119


def test_tax_is_rounded():
    assert with_tax(99) == 117
