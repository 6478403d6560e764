from pathlib import Path


def test_prices():
    assert Path("data/prices.csv").read_text()


def test_loose():
    path = Path(__file__).parent / "../data/loose.txt"
    assert path.read_text()
