from shop.prices import TAX


def total(net):
    return net * (100 + TAX) // 100
