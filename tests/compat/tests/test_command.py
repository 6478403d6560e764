import json
import shlex
import sys

import pytest
from waders_compat.__main__ import main


def printing(text, code=0):
    """How to run a program that prints this, whatever it is asked."""
    return shlex.join([sys.executable, "-c", f"import sys; sys.stdout.write({text!r}); sys.exit({code})"])


def run(tmp_path, theirs, ours, *words):
    return main(["--checkout", str(tmp_path), "--pants", theirs, "--waders", ours, *words])


def test_what_differs_is_shown_up_to_the_bound(tmp_path, capsys):
    assert run(tmp_path, printing("a\nb\nc\nd\n"), printing("a\ne\n"), "--show=2", "list") == 1
    assert capsys.readouterr().out.splitlines() == [
        "`list ::`: 1 of 5 equal lines (20.00 %)",
        "    only Pants   b",
        "    only Pants   c",
        "    only Pants   … 1 more",
        "    only Waders  e",
    ]


def test_programs_get_the_same_as_json(tmp_path, capsys):
    assert run(tmp_path, printing("a\n"), printing("a\n"), "--json", "list", "roots") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["command"] for row in rows] == [["list", "::"], ["roots"]]
    assert rows[0]["shares"][0]["percent"] == 100.0


def test_a_program_that_fails_without_an_answer_is_told(tmp_path, capsys):
    assert run(tmp_path, printing("a\n"), printing("", code=1), "list") == 2
    assert "nothing to compare: Waders ends with 1" in capsys.readouterr().out


def test_an_answer_with_doubts_is_compared(tmp_path, capsys):
    assert run(tmp_path, printing("a\n"), printing("a\n", code=1), "list") == 0
    assert "(100.00 %)" in capsys.readouterr().out


def test_what_changed_is_asked_only_when_a_commit_is_named(tmp_path, capsys):
    assert run(tmp_path, printing("[]"), printing("[]")) == 0
    assert "changed" not in capsys.readouterr().out
    assert run(tmp_path, printing("[]"), printing("[]"), "--since=HEAD~1") == 0
    assert "--changed-since=HEAD~1 --changed-dependents=transitive list" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["lst"], ["--waders-settings", "/nowhere/at/all"]])
def test_what_cannot_be_asked_is_an_error(tmp_path, capsys, words):
    assert run(tmp_path, printing("a\n"), printing("a\n"), *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")


def test_either_pants_or_a_recording_is_needed(tmp_path):
    with pytest.raises(SystemExit):
        main(["--checkout", str(tmp_path), "--waders", "waders"])
