from pathlib import Path


def test_the_token_was_generated():
    assert Path("wrong/generated/token.txt").read_text().strip()
