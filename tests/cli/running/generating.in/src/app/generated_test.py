from pathlib import Path

from app.table import NAMES  # pants: no-infer-dep

HERE = Path(__file__).parent


def test_module():
    assert NAMES == ["alice", "bob", "carol"]


def test_resources():
    assert (HERE / "deep/level.txt").read_text() == "low\n"
    assert (HERE / "report.txt").read_text() == "3 names\n"
    assert not (HERE / "sorted.txt").exists()


def test_files():
    assert Path("greeting.txt").read_text() == "carol\nalice\nbob\n"
