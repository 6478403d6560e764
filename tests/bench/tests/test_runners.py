from __future__ import annotations

from pathlib import Path

import pytest
from waders_bench import table
from waders_bench.measure import CommandFailed
from waders_bench.runners import EDITED, FROM_NOTHING, UNCHANGED, Repository, compare, parse


def log(name: str) -> str:
    """A runner that logs the number of edits that it sees."""
    return f"sh -c 'grep -c edit a.py >> {name}; true'"


def test_runners_take_turns_and_see_each_edit(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("A = 1\n")
    runners = {"one": log("one"), "two": log("two")}
    rows = compare(Repository(tmp_path, Path("a.py")), runners, {"two": log("nothing")}, rounds=2)
    assert [(name, figures.what, len(figures.runs)) for name, figures in rows] == [
        (name, case, 2) for case in (FROM_NOTHING, UNCHANGED, EDITED) for name in ("one", "two")
    ]
    # Two runs from nothing, one that is not measured, two unchanged, two edits.
    assert (tmp_path / "one").read_text().split() == ["0", "0", "0", "0", "0", "1", "2"]
    assert (tmp_path / "two").read_text().split() == ["0", "0", "0", "1", "2"]
    assert (tmp_path / "nothing").read_text().split() == ["0", "0"]
    assert (tmp_path / "a.py").read_text() == "A = 1\n"
    assert table.runners(rows).count("\n") == 1 + 6


def test_a_failing_runner_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("A = 1\n")
    with pytest.raises(CommandFailed):
        compare(Repository(tmp_path, Path("a.py")), {"one": "sh -c 'exit 2'"}, {}, rounds=1)
    assert (tmp_path / "a.py").read_text() == "A = 1\n"


def test_commands_need_names() -> None:
    assert parse(["a=b --c=d"]) == {"a": "b --c=d"}
    for text in ("a", "a=", "a= "):
        with pytest.raises(ValueError, match="NAME=COMMAND"):
            parse([text])
    with pytest.raises(CommandFailed, match="no runner has this name: b"):
        compare(Repository(Path(), Path("a.py")), {"a": "true"}, {"b": "true"}, rounds=1)
