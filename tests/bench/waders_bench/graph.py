"""The time and memory of goals that read the graph: from nothing, with a warm cache, after one edit."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from waders_bench import synthetic
from waders_bench.measure import CommandFailed, Sample

LIST = ("list", "::")
DEPENDENCIES = ("dependencies", "--transitive", "::")


@dataclass(frozen=True)
class Run:
    """The resources that a process used. The memory is at least that of this program, which forked the process."""

    seconds: float
    cpu_seconds: float
    max_rss_bytes: int


@dataclass(frozen=True)
class Figures:
    """The runs of one command in one repository."""

    what: str
    files: int
    runs: tuple[Run, ...]

    @property
    def wall(self) -> Sample:
        return Sample(tuple(run.seconds for run in self.runs))

    @property
    def cpu(self) -> Sample:
        return Sample(tuple(run.cpu_seconds for run in self.runs))

    @property
    def max_rss_bytes(self) -> int:
        return max(run.max_rss_bytes for run in self.runs)


class Checkout:
    """A copy of a repository with its own cache. The copy may be edited."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.cache = cache
        self.edits = 0

    def python_files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*.py") if ".git" not in path.parts)

    def remove_cache(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)

    def edit(self) -> None:
        """Appends a line to the middle file, then waits as long as it takes a person to run the next command."""
        files = self.python_files()
        self.edits += 1
        with files[len(files) // 2].open("a") as file:
            file.write(f"\nimport edit_{self.edits}  # pants: no-infer-dep\n")
        time.sleep(0.3)

    def run(self, program: str, goal: Sequence[str]) -> Run:
        env = {**os.environ, "XDG_CACHE_HOME": str(self.cache)}
        return run([program, *goal], self.root, env)


def run(argv: Sequence[str], cwd: Path, env: dict[str, str]) -> Run:
    start = time.perf_counter()
    process = subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise CommandFailed(f"{' '.join(argv)}: exit {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def measure(program: str, checkout: Checkout, rounds: int) -> list[Figures]:
    def figures(what: str, goal: Sequence[str], before: Callable[[], None]) -> Figures:
        runs = []
        for _ in range(rounds):
            before()
            runs.append(checkout.run(program, goal))
        return Figures(what, files, tuple(runs))

    def nothing() -> None:
        pass

    files = len(checkout.python_files())
    checkout.run(program, LIST)
    return [
        figures("`list ::`", LIST, nothing),
        figures("`dependencies --transitive ::`, empty index", DEPENDENCIES, checkout.remove_cache),
        figures("`dependencies --transitive ::`, nothing changed", DEPENDENCIES, nothing),
        figures("`dependencies --transitive ::`, after one edit", DEPENDENCIES, checkout.edit),
    ]


def synthetic_checkouts(directory: Path, sizes: Iterable[int]) -> Iterable[Checkout]:
    for files in sizes:
        checkout = Checkout(directory / str(files), directory / f"cache-{files}")
        synthetic.write(checkout.root, files)
        yield checkout


def copied_checkout(directory: Path, repository: Path) -> Checkout:
    root = directory / repository.name
    shutil.copytree(repository, root, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    return Checkout(root, directory / f"cache-{repository.name}")
