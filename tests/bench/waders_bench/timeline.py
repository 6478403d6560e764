"""A picture of a run that `--trace` recorded: time from left to right, a row for each step that ran beside others."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from waders_bench.plot import grid, label

WIDTH, LEFT, RIGHT, TOP, ROW = 800, 130, 10, 24, 14
# The first digit of a row's number says what it shows.
COLOURS = {1: "#999999", 2: "#1f77b4", 3: "#9467bd", 4: "#2ca02c", 5: "#ff7f0e", 6: "#d62728"}


def svg(timeline: Path) -> str:
    events = json.loads(timeline.read_text())["traceEvents"]
    names = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    spans = [event for event in events if event["ph"] == "X"]
    end = max(span["ts"] + span["dur"] for span in spans)
    rows = sorted(names)
    height = TOP + ROW * len(rows) + 8

    def across(time: float) -> float:
        return LEFT + time / end * (WIDTH - LEFT - RIGHT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        ' font-size="10">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for seconds in ticks(end / 1e6):
        at = f"{across(seconds * 1e6):.1f}"
        parts += [grid(f"{at},{TOP}", f"{at},{height - 8}"), label(at, TOP - 8, f"{seconds:g} s", "middle")]
    for number, row in enumerate(rows):
        top = TOP + ROW * number
        parts.append(label(LEFT - 6, top + 10, str(names[row]), "end"))
        parts += [bar(span, across, top, COLOURS[row // 1000]) for span in spans if span["tid"] == row]
    return "\n".join([*parts, "</svg>\n"])


def bar(span: dict[str, Any], across: Callable[[float], float], top: int, colour: str) -> str:
    left, right = across(span["ts"]), across(span["ts"] + span["dur"])
    title = f"<title>{escape(str(span['name']))}</title>"
    size = f'width="{max(right - left, 1):.1f}" height="{ROW - 3}"'
    return f'<rect x="{left:.1f}" y="{top}" {size} fill="{colour}" fill-opacity="0.8">{title}</rect>'


def ticks(seconds: float) -> Sequence[float]:
    """About eight times at equal distances."""
    steps = (factor * 10.0**power for power in range(-3, 6) for factor in (1, 2, 5))
    step = next(step for step in steps if seconds / step <= 8)
    return [number * step for number in range(int(seconds / step) + 1)]
