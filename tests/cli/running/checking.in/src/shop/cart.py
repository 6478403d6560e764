from prices.money import total


def summary(prices: list[int]) -> str:
    return total(prices)
