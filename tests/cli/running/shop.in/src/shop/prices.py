def with_tax(net: int) -> int:
    return net + net * 19 // 100
