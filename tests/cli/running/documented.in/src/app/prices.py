"""What things cost."""


def price(count: int) -> int:
    """The price of so many pieces, in cents."""
    return 250 * count
