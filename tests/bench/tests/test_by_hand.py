from __future__ import annotations

from pathlib import Path

import pytest
from waders_bench.by_hand import Comparison, compare
from waders_bench.measure import CommandFailed


def comparison(repository: Path, ours: str, theirs: str) -> Comparison:
    cache = repository / "cache"
    return Comparison(repository, ours, f"{ours} # {{run}}", theirs, theirs, cache)


def log(name: str) -> str:
    """A tool that logs the state of its cache and of the source, and writes to its cache."""
    script = f"mkdir -p cache; ls cache | wc -l >> {name}; touch cache/entry; grep -c EDITED a.py >> {name}; exit 1"
    return f"sh -c '{script}'"


def test_both_sides_see_each_edit_and_only_their_cache_is_removed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("A = 1\n")
    rows = compare(comparison(tmp_path, log("ours"), log("theirs")), ["a.py"], rounds=2, rounds_from_nothing=1)
    assert [row.name for row in rows] == ["from nothing", "nothing changed", "`a.py` edited"]
    # One run from nothing, one warm-up and two more rounds, then two edits: the cache entries and edits of each run.
    logged = [line.split() for line in ["0 0", "1 0", "1 0", "1 0", "1 1", "1 2"]]
    assert (tmp_path / "ours").read_text().split() == [word for words in logged for word in words]
    assert (tmp_path / "a.py").read_text() == "A = 1\n"


def test_sides_with_different_exit_codes_are_not_compared(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="exit 3, but 1 before"):
        compare(comparison(tmp_path, "sh -c 'exit 1'", "sh -c 'exit 3'"), [], rounds=1, rounds_from_nothing=1)
