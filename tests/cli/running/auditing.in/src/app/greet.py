from pathlib import Path


def greet(name: str) -> str:
    return Path("data/greeting.txt").read_text().strip().format(name)
