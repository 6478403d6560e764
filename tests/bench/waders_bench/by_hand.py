"""A goal of Waders and a direct run of the tool that it uses, in turns: from nothing, unchanged, after edits."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from waders_bench.measure import CommandFailed, Pair, pair


@dataclass
class Comparison:
    """The two commands to compare in a repository. `{run}` in a command becomes a number unique to the run."""

    repository: Path
    ours: str
    ours_from_nothing: str
    theirs: str
    theirs_from_nothing: str
    # The cache directory of the other tool, which is removed before it starts from nothing.
    their_cache: Path | None = None
    runs: int = 0
    exit_code: int | None = None

    def run(self, command: str) -> None:
        """Runs a command. Findings are not a failure, but all runs must have the same exit code."""
        self.runs += 1
        argv = shlex.split(command.replace("{run}", str(self.runs)))
        done = subprocess.run(argv, cwd=self.repository, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if self.exit_code is None:
            self.exit_code = done.returncode
        if done.returncode != self.exit_code:
            output = f"{done.stdout[-1000:]}{done.stderr[-1000:]}"
            raise CommandFailed(f"{command}: exit {done.returncode}, but {self.exit_code} before\n{output}")

    def remove_their_cache(self) -> None:
        if self.their_cache:
            shutil.rmtree(self.their_cache, ignore_errors=True)


def compare(comparison: Comparison, edited: Sequence[str], rounds: int, rounds_from_nothing: int) -> list[Pair]:
    """Measures the comparison from nothing, with nothing changed, and after edits. Restores the edited files."""

    def run(command: str) -> Callable[[], None]:
        return lambda: comparison.run(command)

    rows = [
        pair(
            "from nothing",
            run(comparison.ours_from_nothing),
            run(comparison.theirs_from_nothing),
            rounds_from_nothing,
            warm_up=0,
            before=comparison.remove_their_cache,
        )
    ]
    rows.append(pair("nothing changed", run(comparison.ours), run(comparison.theirs), rounds))
    for name in edited:
        file = comparison.repository / name
        before = file.read_bytes()
        try:
            edit = Edit(file)
            rows.append(
                pair(f"`{name}` edited", run(comparison.ours), run(comparison.theirs), rounds, warm_up=0, before=edit)
            )
        finally:
            file.write_bytes(before)
    return rows


@dataclass
class Edit:
    """Adds a name to a module, then waits as long as it takes a person to run the next command."""

    file: Path
    edits: int = 0

    def __call__(self) -> None:
        self.edits += 1
        with self.file.open("a") as file:
            file.write(f"\nEDITED_{self.edits}: int = {self.edits}\n")
        time.sleep(0.3)
