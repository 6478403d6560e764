"""The figures of the scenarios as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from waders_remote.machine import Run


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    scenario: str
    repository: str
    what: str
    figures: str
    passed: bool = True

    def __str__(self) -> str:
        cells = [self.scenario, self.repository, self.what, self.figures, "yes" if self.passed else "NO"]
        return f"| {' | '.join(cells)} |"


HEAD = "| scenario | repository | what | figures | passed |\n|---|---|---|---|---|"


def megabytes(count: int) -> str:
    return f"{count / 1e6:.2f} MB"


def traffic(runs: Iterable[Run]) -> str:
    """What several runs took together."""
    runs = list(runs)
    received = sum(run.transferred[0] for run in runs)
    sent = sum(run.transferred[1] for run in runs)
    seconds = " + ".join(f"{run.seconds:.1f}" for run in runs)
    return f"{megabytes(received)} received, {megabytes(sent)} sent, {seconds} s"
