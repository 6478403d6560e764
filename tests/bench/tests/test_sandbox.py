from pathlib import Path

import pytest
from waders_bench import sandbox
from waders_bench.__main__ import main, parse


def test_the_median_of_a_report_is_converted_to_seconds():
    assert sandbox.median_seconds('{"runs": 200, "min_us": 100, "p50_us": 250, "p90_us": 900}') == pytest.approx(250e-6)


def test_bubblewrap_runs_the_same_program_in_all_namespaces():
    argv = sandbox.bubblewrap(Path("/somewhere/nothing"))
    assert argv[0] == "bwrap"
    assert "--unshare-all" in argv
    assert argv[-3:] == ["/somewhere", "/program", "/program/nothing"]


def test_a_missing_program_is_reported_and_no_table_is_printed(tmp_path, capsys):
    assert main(["cached", "--waders", str(tmp_path / "none"), "--pants", "x", "--repository", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error:" in captured.err


def test_a_command_line_without_a_scenario_is_refused():
    with pytest.raises(SystemExit):
        parse([])
