"""Tables of measurements in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from waders_bench.graph import Figures
from waders_bench.measure import Pair, Sample
from waders_bench.scaling import Row


def duration(seconds: float) -> str:
    """Renders three significant digits with a suitable unit: `1.23 s`, `45.6 ms`, `789 µs`."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= factor:
            return f"{significant(seconds / factor)} {unit}"
    return f"{significant(seconds / 1e-6)} µs"


def significant(number: float) -> str:
    if number >= 100:
        return f"{number:.0f}"
    if number >= 10:
        return f"{number:.1f}"
    return f"{number:.2f}"


def spread(sample: Sample) -> str:
    return f"{duration(sample.median)} ({duration(sample.minimum)} – {duration(sample.maximum)})"


def pairs(rows: Iterable[Pair]) -> str:
    lines = [
        "| what | Waders: median (min – max) | peer: median (min – max) | times faster (at worst) |",
        "|---|---|---|---|",
    ]
    for row in rows:
        ratio = f"{significant(row.ratio)} ({significant(row.pessimistic_ratio)})"
        lines.append(f"| {row.name} | {spread(row.ours)} | {spread(row.theirs)} | {ratio} |")
    return "\n".join(lines)


def figures(rows: Iterable[Figures]) -> str:
    lines = [
        "| what | files | median (min – max) | CPU, least | memory, most |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        memory = f"{row.max_rss_bytes / 1e6:.0f} MB"
        lines.append(f"| {row.what} | {row.files:,} | {spread(row.wall)} | {duration(row.cpu.minimum)} | {memory} |")
    return "\n".join(lines)


def runners(rows: Iterable[tuple[str, Figures]]) -> str:
    """The memory is that of the largest process, not that of all."""
    lines = [
        "| case | runner | median (min – max) | CPU, median | memory of a process, most |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows:
        memory = f"{row.max_rss_bytes / 1e6:.0f} MB"
        lines.append(f"| {row.what} | {name} | {spread(row.wall)} | {duration(row.cpu.median)} | {memory} |")
    return "\n".join(lines)


def simulated(rows: Iterable[Row]) -> str:
    lines = [
        "| in the cache | connection | time | calls | sent | received | bottleneck |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        result = row.result
        sent, received = (f"{size / 1e6:,.0f} MB" for size in (result.sent_bytes, result.received_bytes))
        busy = f"{result.bottleneck} ({result.utilization[result.bottleneck]:.0%})"
        cells = [
            f"{row.cached:.0%}",
            row.connection,
            duration(result.seconds),
            f"{result.calls:,}",
            sent,
            received,
            busy,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
