"""Times of commands, measured in turns so that other load on the machine affects both sides equally."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Wall-clock seconds of one command, in the order measured."""

    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.seconds:
            raise ValueError("a sample needs at least one measurement")

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def minimum(self) -> float:
        return min(self.seconds)

    @property
    def maximum(self) -> float:
        return max(self.seconds)


@dataclass(frozen=True)
class Pair:
    """The samples of Waders and of another tool, measured in turns."""

    name: str
    ours: Sample
    theirs: Sample

    @property
    def ratio(self) -> float:
        """The speed-up of ours over theirs, by medians."""
        return self.theirs.median / self.ours.median

    @property
    def pessimistic_ratio(self) -> float:
        """The speed-up of our slowest run over their fastest."""
        return self.theirs.minimum / self.ours.maximum


class CommandFailed(Exception):
    """A measured command failed."""


def run_command(argv: Sequence[str], cwd: str | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr[-2000:]}")


def seconds_of(work: Callable[[], None], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    work()
    return clock() - start


def pair(
    name: str,
    ours: Callable[[], None],
    theirs: Callable[[], None],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    before: Callable[[], None] = lambda: None,
) -> Pair:
    """Runs ours and theirs in turns, and `before` ahead of each round. The first `warm_up` rounds are not counted."""
    if rounds < 1:
        raise ValueError("a benchmark needs at least one round")
    ours_seconds: list[float] = []
    theirs_seconds: list[float] = []
    for number in range(warm_up + rounds):
        before()
        a = seconds_of(ours, clock)
        b = seconds_of(theirs, clock)
        if number >= warm_up:
            ours_seconds.append(a)
            theirs_seconds.append(b)
    return Pair(name, Sample(tuple(ours_seconds)), Sample(tuple(theirs_seconds)))
