import ast
import math
import os
import sys

import pytest
from waders_bench import graph, plot, synthetic, table
from waders_bench.__main__ import main
from waders_bench.measure import CommandFailed


def tree(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_synthetic_repository_is_deterministic_and_has_the_requested_size(tmp_path):
    synthetic.write(tmp_path / "one", 137)
    synthetic.write(tmp_path / "two", 137)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert len(list((tmp_path / "one").rglob("*.py"))) == 137


def test_every_synthetic_module_parses_and_imports_only_existing_modules():
    modules = {synthetic.module_of(number) for number in range(300)}
    for number in range(300):
        for statement in ast.parse(synthetic.text_of(number)).body:
            if isinstance(statement, ast.ImportFrom):
                assert statement.module in modules


def test_the_synthetic_graph_has_no_cycle():
    assert all(other < number for number in range(2000) for other in synthetic.imported_by(number))


def test_only_the_started_process_is_measured(tmp_path):
    measured = graph.run([sys.executable, "-c", "b'x' * 50_000_000"], tmp_path, dict(os.environ))
    assert measured.seconds > 0 and measured.cpu_seconds > 0
    assert 50e6 < measured.max_rss_bytes < 500e6


def test_a_failing_goal_is_an_error(tmp_path):
    with pytest.raises(CommandFailed, match="exit 3"):
        graph.run(["/bin/sh", "-c", "exit 3"], tmp_path, {})


def test_an_edit_changes_only_the_copy(tmp_path):
    synthetic.write(tmp_path / "original", 20)
    before = tree(tmp_path / "original")
    (tmp_path / "work").mkdir()
    checkout = graph.copied_checkout(tmp_path / "work", tmp_path / "original")
    checkout.edit()
    assert tree(tmp_path / "original") == before
    assert tree(checkout.root) != before


def test_proportional_growth_is_a_straight_line():
    picture = plot.svg({"a": [(1000, 0.1), (10_000, 1.0), (100_000, 10.0)]}, "files", "seconds")
    (line,) = [part for part in picture.splitlines() if part.startswith("<polyline")]
    points = [tuple(map(float, point.split(","))) for point in line.split('"')[1].split()]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(points, points[1:], strict=False)]
    assert math.isclose(slopes[0], slopes[1], rel_tol=0.01)


def test_the_scenario_prints_a_row_for_each_size_and_goal(tmp_path, capsys):
    program = tmp_path / "nothing"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    svg = tmp_path / "growth.svg"
    assert main(["--rounds", "1", "graph", "--waders", str(program), "--sizes", "20,40", "--svg", str(svg)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == table.figures([]).splitlines()
    assert len(printed) == 2 + 2 * 4
    assert svg.read_text().count("<polyline") == 4
