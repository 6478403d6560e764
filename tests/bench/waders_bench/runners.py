"""Several runners of the same tests, in turns: from nothing, with nothing changed, after an edit."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from waders_bench.graph import Figures, Run, run
from waders_bench.measure import CommandFailed

FROM_NOTHING, UNCHANGED, EDITED = "from nothing", "nothing changed", "after an edit"


@dataclass
class Repository:
    """A checkout whose tests the runners run, and a file of it that is edited."""

    root: Path
    edited: Path
    edits: int = 0

    def edit(self) -> None:
        """Appends a comment that was never there, then waits as long as it takes a person to run the next command."""
        self.edits += 1
        with (self.root / self.edited).open("a") as file:
            file.write(f"\n# edit {self.edits} at {time.time_ns()}\n")
        time.sleep(0.3)

    def run(self, command: str) -> Run:
        return run(shlex.split(command), self.root, dict(os.environ))


def parse(texts: list[str]) -> dict[str, str]:
    """Splits `NAME=COMMAND` texts."""
    runners: dict[str, str] = {}
    for text in texts:
        name, separator, command = text.partition("=")
        if not separator or not command.strip():
            raise ValueError(f"expected NAME=COMMAND instead of `{text}`")
        runners[name] = command
    return runners


def compare(
    repository: Repository, runners: Mapping[str, str], from_nothing: Mapping[str, str], rounds: int
) -> list[tuple[str, Figures]]:
    """Measures each runner in each case. `from_nothing` has other commands for runners that know results."""
    unknown = set(from_nothing) - set(runners)
    if unknown:
        raise CommandFailed(f"no runner has this name: {', '.join(sorted(unknown))}")
    file = repository.root / repository.edited
    before = file.read_bytes()
    measured: dict[tuple[str, str], list[Run]] = {}

    def measure(case: str, name: str, command: str) -> None:
        measured.setdefault((case, name), []).append(repository.run(command))

    try:
        for _ in range(rounds):
            for name, command in runners.items():
                measure(FROM_NOTHING, name, from_nothing.get(name, command))
        for command in runners.values():
            repository.run(command)
        for _ in range(rounds):
            for name, command in runners.items():
                measure(UNCHANGED, name, command)
        for _ in range(rounds):
            repository.edit()
            for name, command in runners.items():
                measure(EDITED, name, command)
    finally:
        file.write_bytes(before)
    files = sum(1 for path in repository.root.rglob("*.py") if not any(part.startswith(".") for part in path.parts))
    return [(name, Figures(case, files, tuple(runs))) for (case, name), runs in measured.items()]
