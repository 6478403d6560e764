"""Reports of comparisons as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from waders_compat.compare import Comparison


def text(comparisons: Iterable[Comparison], most: int) -> str:
    """A line for each share, followed by at most `most` lines that only one side printed."""
    return "\n".join(line for comparison in comparisons for line in _lines(comparison, most))


def _lines(comparison: Comparison, most: int) -> Iterator[str]:
    command = f"`{' '.join(comparison.question.words)}`"
    if comparison.failure is not None:
        yield f"{command}: not compared: {comparison.failure}"
    for share in comparison.shares:
        yield f"{command}: {share.equal} of {share.all} {share.what} ({share.percent:.2f} %)"
        yield from _bounded("only Pants ", share.missing, most)
        yield from _bounded("only Waders", share.surplus, most)


def _bounded(whose: str, lines: Sequence[str], most: int) -> Iterator[str]:
    yield from (f"    {whose}  {line}" for line in lines[:most])
    if len(lines) > most:
        yield f"    {whose}  … {len(lines) - most} more"


def as_json(comparisons: Iterable[Comparison], most: int) -> str:
    def shares(comparison: Comparison) -> list[dict[str, object]]:
        return [
            {
                "what": share.what,
                "equal": share.equal,
                "all": share.all,
                "percent": share.percent,
                "only_pants": share.missing[:most],
                "only_waders": share.surplus[:most],
            }
            for share in comparison.shares
        ]

    rows = [
        {
            "name": comparison.question.name,
            "command": list(comparison.question.words),
            "failure": comparison.failure,
            "shares": shares(comparison),
        }
        for comparison in comparisons
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)
