import tarfile
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
    moved = {str(path) for path in Path("moved").rglob("*") if path.is_file()}
    assert moved == {"moved/deep/level.txt", "moved/names.txt", "moved/other.py", "moved/sorted.txt"}
    assert (HERE / "alone.zip").read_bytes().startswith(b"PK")


def test_archive():
    with tarfile.open("src.app/packed.tar") as archive:
        assert {"moved/sorted.txt", "src/app/alone.zip"} <= set(archive.getnames())
