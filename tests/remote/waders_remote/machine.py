"""A machine of a team: a user with a home directory, a checkout, and a store of results that is empty at first."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waders_remote.processes import as_user, check, give

GOALS = ("lint", "check", "test", "package")

# Variables that say how this machine reaches the package index. Nothing else of the environment is passed on.
PASSED = re.compile(r"PIP_.*|UV_.*|.*_PROXY|.*_proxy|SSL_CERT_.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|LANG|LC_ALL")

SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@dataclass(frozen=True)
class Programs:
    """What every machine has, where all users can reach it."""

    waders: Path
    step: Path
    interpreters: Path


@dataclass
class Run:
    """A run of one goal."""

    goal: str
    code: int
    output: str
    seconds: float
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def requested(self) -> list[dict[str, Any]]:
        """The steps with a process that the goal itself asked for."""
        return [step for step in self.steps if step["requested"] and step["kind"] == "run"]

    @property
    def executed(self) -> list[str]:
        """The names of the processes that were carried out, here or on a worker."""
        return [step["label"] for step in self.steps if step["kind"] == "run" and step["origin"] == "executed"]

    @property
    def cached_remotely(self) -> int:
        return self._number(r"Remote cache: (\d+) results? used")

    @property
    def stored(self) -> int:
        return self._number(r"(\d+) stored")

    @property
    def ran_remotely(self) -> int:
        return self._number(r"Remote execution: (\d+) steps?")

    @property
    def transferred(self) -> tuple[int, int]:
        """The bytes that were received and sent."""

        def total(word: str) -> int:
            found = re.findall(rf"([\d.]+) (B|KiB|MiB|GiB) {word}", self.output)
            return sum(int(float(number) * SIZES[unit]) for number, unit in found)

        return total("received"), total("sent")

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.output.splitlines() if line.startswith("warning:") and "remote" in line]

    def _number(self, pattern: str) -> int:
        found = re.search(pattern, self.output)
        return int(found.group(1)) if found else 0


class Machine:
    """A user, a home directory, a checkout and an empty store."""

    def __init__(self, directory: Path, programs: Programs, checkout: Path, user: int | None = None) -> None:
        self.directory, self.programs, self.user = directory, programs, user
        self.home, self.store, self.checkout = directory / "home", directory / "store", directory / "checkout"
        for path in (directory, self.home, self.store):
            path.mkdir(parents=True)
        shutil.copytree(checkout, self.checkout, symlinks=True, ignore=shutil.ignore_patterns("dist", ".git"))
        give(directory, user)

    def _environment(self) -> Mapping[str, str]:
        passed = {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}
        return {
            **passed,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.store),
            "PATH": "/usr/bin:/bin",
            "PYENV_ROOT": str(self.programs.interpreters),
            # Locking does not try to reach a server that this machine may not reach.
            "PANTS_TOOLCHAIN_PROVIDERS": "['debian', 'host']",
        }

    def command(self, arguments: Sequence[str]) -> list[str]:
        return [*as_user(self.user), str(self.programs.waders), *arguments]

    def start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Starts a run in the background."""
        return subprocess.Popen(
            self.command(arguments),
            cwd=self.checkout,
            env=dict(self._environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, goal: str, options: Sequence[str] = ()) -> Run:
        """Runs a goal on everything."""
        return self.finish(goal, self.start([*options, goal, "::"]), time.monotonic())

    def finish(self, goal: str, child: subprocess.Popen[bytes], start: float) -> Run:
        """Waits for the end of a run."""
        output, _ = child.communicate(timeout=1800)
        text = output.decode(errors="replace")
        run = Run(goal, child.returncode, text, time.monotonic() - start)
        check(run.code in (0, 1), f"`{goal}` ended with {run.code}: {text[-3000:]}")
        run.steps = self._steps()
        return run

    def _steps(self) -> list[dict[str, Any]]:
        record = self.json(["log", "--json", "last"])
        return [step for part in record["parts"] for step in part["steps"]]

    def json(self, arguments: Sequence[str]) -> Any:
        """What a goal prints as JSON."""
        done = subprocess.run(
            self.command(arguments), cwd=self.checkout, env=dict(self._environment()), capture_output=True, timeout=1800
        )
        check(bool(done.stdout), f"{arguments} printed nothing: {done.stderr.decode(errors='replace')[-2000:]}")
        return json.loads(done.stdout)

    def artifacts(self) -> dict[str, str]:
        """The SHA-256 of each file that was packaged. Reports, which contain durations, are no packages."""
        dist = self.checkout / "dist"
        reports = {"coverage", "test"}
        files = [path for path in sorted(dist.rglob("*")) if path.is_file()]
        files = [path for path in files if path.relative_to(dist).parts[0] not in reports]
        return {str(path.relative_to(dist)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def edit(self) -> None:
        """Changes all Python files by a comment, so that nothing is known of any step."""
        for path in self._sources():
            path.write_text(f"{path.read_text()}\n# {self.directory.name}\n")

    def _sources(self) -> Iterator[Path]:
        return (path for path in sorted(self.checkout.rglob("*.py")) if "dist" not in path.parts)
