"""A plot of growth with two logarithmic axes: proportional growth is a straight line with slope 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 20, 50
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")

Points = Sequence[tuple[float, float]]


def decades(values: Sequence[float]) -> tuple[int, int]:
    """The exponents of the powers of ten that enclose all values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def svg(lines: Mapping[str, Points], across: str, upwards: str) -> str:
    xs = decades([x for points in lines.values() for x, _ in points])
    ys = decades([y for points in lines.values() for _, y in points])

    def place(x: float, y: float) -> str:
        right = LEFT + (math.log10(x) - xs[0]) / (xs[1] - xs[0]) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - (math.log10(y) - ys[0]) / (ys[1] - ys[0]) * (HEIGHT - TOP - BOTTOM)
        return f"{right:.1f},{down:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    parts += [grid(place(10.0**x, 10.0 ** ys[0]), place(10.0**x, 10.0 ** ys[1])) for x in range(xs[0], xs[1] + 1)]
    parts += [grid(place(10.0 ** xs[0], 10.0**y), place(10.0 ** xs[1], 10.0**y)) for y in range(ys[0], ys[1] + 1)]
    for x in range(xs[0], xs[1] + 1):
        at, _ = place(10.0**x, 10.0 ** ys[0]).split(",")
        parts.append(label(at, HEIGHT - BOTTOM + 16, f"{10**x:,}", "middle"))
    for y in range(ys[0], ys[1] + 1):
        _, at = place(10.0 ** xs[0], 10.0**y).split(",")
        parts.append(label(LEFT - 6, at, f"{10.0**y:g}", "end"))
    parts.append(label(WIDTH / 2, HEIGHT - 12, across, "middle"))
    parts.append(label(8, TOP - 6, upwards, "start"))
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(place(x, y) for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<g fill="{colour}">{label(LEFT + 10, TOP + 16 * (number + 1), name, "start")}</g>')
    return "\n".join([*parts, "</svg>\n"])


def grid(start: str, end: str) -> str:
    (x1, y1), (x2, y2) = start.split(","), end.split(",")
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#ddd"/>'


def label(x: float | str, y: float | str, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
