from __future__ import annotations

from pathlib import Path

import pytest
from waders_bench.by_hand import Contest, compare
from waders_bench.measure import CommandFailed


def contest(repository: Path, ours: str, theirs: str) -> Contest:
    cache = repository / "cache"
    return Contest(repository, ours, f"{ours} # {{run}}", theirs, theirs, cache)


def log(name: str) -> str:
    """A tool that says what it saw, and remembers something."""
    script = f"mkdir -p cache; ls cache | wc -l >> {name}; touch cache/known; grep -c EDITED a.py >> {name}; exit 1"
    return f"sh -c '{script}'"


def test_both_sides_see_each_edit_and_only_theirs_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("A = 1\n")
    rows = compare(contest(tmp_path, log("ours"), log("theirs")), ["a.py"], rounds=2, rounds_from_nothing=1)
    assert [row.name for row in rows] == ["from nothing", "nothing changed", "`a.py` edited"]
    # From nothing once, then one round to warm up and two, then two edits: what was known, how many edits there were.
    seen = [line.split() for line in ["0 0", "1 0", "1 0", "1 0", "1 1", "1 2"]]
    assert (tmp_path / "ours").read_text().split() == [word for words in seen for word in words]
    assert (tmp_path / "a.py").read_text() == "A = 1\n"


def test_sides_that_end_differently_are_not_compared(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="exit 3, not 1 as before"):
        compare(contest(tmp_path, "sh -c 'exit 1'", "sh -c 'exit 3'"), [], rounds=1, rounds_from_nothing=1)
