"""A goal of Waders against the tool that it runs, by hand, in turns: from nothing, unchanged, after edits."""

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
class Contest:
    """The two sides, on one checkout. In the commands `{run}` stands for a number that no other run had."""

    repository: Path
    ours: str
    ours_from_nothing: str
    theirs: str
    theirs_from_nothing: str
    # Where they keep what they know; removed before they begin from nothing.
    their_cache: Path | None = None
    runs: int = 0
    exit_code: int | None = None

    def run(self, command: str) -> None:
        """Findings are no failure, but both sides have to end alike."""
        self.runs += 1
        argv = shlex.split(command.replace("{run}", str(self.runs)))
        done = subprocess.run(argv, cwd=self.repository, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if self.exit_code is None:
            self.exit_code = done.returncode
        if done.returncode != self.exit_code:
            output = f"{done.stdout[-1000:]}{done.stderr[-1000:]}"
            raise CommandFailed(f"{command}: exit {done.returncode}, not {self.exit_code} as before\n{output}")

    def forget_theirs(self) -> None:
        if self.their_cache:
            shutil.rmtree(self.their_cache, ignore_errors=True)


def compare(contest: Contest, edited: Sequence[str], rounds: int, rounds_from_nothing: int) -> list[Pair]:
    """The edited files are as before in the end."""

    def run(command: str) -> Callable[[], None]:
        return lambda: contest.run(command)

    rows = [
        pair(
            "from nothing",
            run(contest.ours_from_nothing),
            run(contest.theirs_from_nothing),
            rounds_from_nothing,
            warm_up=0,
            before=contest.forget_theirs,
        )
    ]
    rows.append(pair("nothing changed", run(contest.ours), run(contest.theirs), rounds))
    for name in edited:
        file = contest.repository / name
        before = file.read_bytes()
        try:
            edit = Edit(file)
            rows.append(
                pair(f"`{name}` edited", run(contest.ours), run(contest.theirs), rounds, warm_up=0, before=edit)
            )
        finally:
            file.write_bytes(before)
    return rows


@dataclass
class Edit:
    """Adds a name to a module, some time before the next command, as a person would."""

    file: Path
    edits: int = 0

    def __call__(self) -> None:
        self.edits += 1
        with self.file.open("a") as file:
            file.write(f"\nEDITED_{self.edits}: int = {self.edits}\n")
        time.sleep(0.3)
