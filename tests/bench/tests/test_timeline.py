from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from waders_bench.timeline import svg, ticks


def test_each_span_is_a_bar_at_its_time_in_its_row(tmp_path: Path) -> None:
    events = [
        {"ph": "M", "tid": 1000, "args": {"name": "run"}},
        {"ph": "M", "tid": 2000, "args": {"name": "steps here"}},
        {"ph": "X", "tid": 1000, "name": "plan", "ts": 0, "dur": 1_000_000},
        {"ph": "X", "tid": 2000, "name": "a < b", "ts": 1_000_000, "dur": 3_000_000},
    ]
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"traceEvents": events}))
    picture = ElementTree.fromstring(svg(file))
    bars = {bar[0].text: bar.attrib for bar in picture if len(bar)}
    assert set(bars) == {"plan", "a < b"}
    plan, step = bars["plan"], bars["a < b"]
    assert float(step["width"]) == 3 * float(plan["width"])
    assert float(step["x"]) == float(plan["x"]) + float(plan["width"])
    assert float(step["y"]) > float(plan["y"])


def test_times_are_marked_at_round_numbers() -> None:
    assert ticks(4.0) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert ticks(70.0) == [0, 10, 20, 30, 40, 50, 60, 70]
