import json
import shlex
import sys

import pytest
from waders_compat.__main__ import main


def printing(text, code=0):
    """The command of a program that ignores its arguments and prints this text."""
    return shlex.join([sys.executable, "-c", f"import sys; sys.stdout.write({text!r}); sys.exit({code})"])


def run(tmp_path, theirs, ours, *words):
    return main(["--checkout", str(tmp_path), "--pants", theirs, "--waders", ours, *words])


def test_differing_lines_are_shown_up_to_the_limit(tmp_path, capsys):
    assert run(tmp_path, printing("a\nb\nc\nd\n"), printing("a\ne\n"), "--show=2", "list") == 1
    assert capsys.readouterr().out.splitlines() == [
        "`list ::`: 1 of 5 equal lines (20.00 %)",
        "    only Pants   b",
        "    only Pants   c",
        "    only Pants   … 1 more",
        "    only Waders  e",
    ]


def test_comparisons_are_printed_as_json(tmp_path, capsys):
    assert run(tmp_path, printing("a\n"), printing("a\n"), "--json", "list", "roots") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["command"] for row in rows] == [["list", "::"], ["roots"]]
    assert rows[0]["shares"][0]["percent"] == 100.0


def test_a_program_that_fails_without_output_is_reported(tmp_path, capsys):
    assert run(tmp_path, printing("a\n"), printing("", code=1), "list") == 2
    assert "not compared: Waders failed with exit code 1" in capsys.readouterr().out


def test_the_output_of_a_failed_program_is_compared(tmp_path, capsys):
    assert run(tmp_path, printing("a\n"), printing("a\n", code=1), "list") == 0
    assert "(100.00 %)" in capsys.readouterr().out


def test_changed_targets_are_compared_only_if_a_commit_is_given(tmp_path, capsys):
    assert run(tmp_path, printing("[]"), printing("[]")) == 0
    assert "changed" not in capsys.readouterr().out
    assert run(tmp_path, printing("[]"), printing("[]"), "--since=HEAD~1") == 0
    assert "--changed-since=HEAD~1 --changed-dependents=transitive list" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["lst"], ["--waders-settings", "/nowhere/at/all"]])
def test_invalid_arguments_are_errors(tmp_path, capsys, words):
    assert run(tmp_path, printing("a\n"), printing("a\n"), *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")


def test_either_pants_or_a_recording_is_required(tmp_path):
    with pytest.raises(SystemExit):
        main(["--checkout", str(tmp_path), "--waders", "waders"])
