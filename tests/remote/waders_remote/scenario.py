"""What all scenarios share: the repository, the results of this machine alone, and new machines."""

from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from waders_remote.machine import GOALS, Machine, Programs, Run
from waders_remote.processes import check
from waders_remote.table import Row, traffic

# Another user than the one who runs the suite.
OTHER_USER = 1234


@dataclass
class Scenario:
    """A repository, and where its machines and servers have their directories."""

    name: str
    repository: str
    work: Path
    directory: Path
    programs: Programs
    checkout: Path
    # The results of a machine without servers, by goal.
    local: dict[str, Run]
    artifacts: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def machine(self, name: str, user: int | None = None) -> Machine:
        """A machine with an empty store."""
        return Machine(self.directory / f"{next(self.numbers)}-{name}", self.programs, self.checkout, user)

    def report(self, what: str, figures: str) -> None:
        self.rows.append(Row(self.name, self.repository, what, figures))

    def check_same(self, machine: Machine, runs: list[Run]) -> int:
        """Checks that steps have the keys and results of the machine without servers, and counts them."""
        count = 0
        for run in runs:
            local = self.local[run.goal]
            check(run.code == local.code, f"`{run.goal}` ended with {run.code}: {run.output[-2000:]}")
            keys = {step["label"]: step["cache"].get("key") for step in local.requested}
            for step in run.requested:
                label, key = step["label"], step["cache"].get("key")
                check(key == keys.get(label), f"`{label}` has another key than on a machine alone")
                count += 1
        if any(run.goal == "package" for run in runs):
            artifacts = machine.artifacts()
            check(artifacts == self.artifacts, f"other artifacts: {artifacts}, not {self.artifacts}")
        return count


@dataclass
class Prepared:
    """A repository and its results on a machine without servers."""

    checkout: Path
    runs: dict[str, Run]
    artifacts: dict[str, str]


def prepare(repository: Path, directory: Path, programs: Programs) -> Prepared:
    """Runs all goals on a machine without servers, which also writes the lock of the toolchain."""
    machine = Machine(directory / "alone", programs, repository)
    runs = {goal: machine.run(goal) for goal in GOALS}
    artifacts = machine.artifacts()
    shutil.rmtree(machine.checkout / "dist", ignore_errors=True)
    return Prepared(machine.checkout, runs, artifacts)


def in_time(condition: object, seconds: float, what: str) -> None:
    """Waits until a function returns true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


__all__ = ["GOALS", "OTHER_USER", "Prepared", "Scenario", "in_time", "prepare", "traffic"]
