"""Chooses and runs the scenarios, and prints their figures."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from waders_remote import controls, execution, faults, security, sharing
from waders_remote.casd import Casd
from waders_remote.certificates import Certificates
from waders_remote.grid import Grid, SecureGrid
from waders_remote.machine import Programs
from waders_remote.processes import Failed, Skipped, shared_copy
from waders_remote.scenario import Prepared, Scenario, prepare
from waders_remote.table import HEAD, Row


class Server(Protocol):
    def stop(self) -> None: ...


class Closing:
    """Stops a server at the end of a block."""

    def __init__(self, server: Server) -> None:
        self.close = server.stop


def casd_cache(scenario: Scenario) -> None:
    casd = Casd(scenario.work, scenario.directory / "casd")
    with closing(Closing(casd)):
        sharing.share(scenario, casd.address)
        control(scenario, casd.address)


def casd_execution(scenario: Scenario) -> None:
    casd = Casd(scenario.work, scenario.directory / "casd", executes=True)
    with closing(Closing(casd)):
        execution.execute(scenario, casd.address)


def grid_cache(scenario: Scenario) -> None:
    grid = Grid(scenario.work, scenario.directory / "grid", workers=0)
    with closing(Closing(grid)):
        sharing.share(scenario, grid.address)
        control(scenario, grid.address)


def grid_execution(scenario: Scenario) -> None:
    grid = Grid(scenario.work, scenario.directory / "grid")
    with closing(Closing(grid)):
        execution.execute(scenario, grid.address)


def grid_log_streams(scenario: Scenario) -> None:
    grid = Grid(scenario.work, scenario.directory / "grid")
    with closing(Closing(grid)):
        execution.stream(scenario, grid)


def grid_security(scenario: Scenario) -> None:
    certificates = Certificates(scenario.directory / "certificates")
    grid = SecureGrid(scenario.work, scenario.directory / "grid", certificates)
    with closing(Closing(grid)):
        security.secure(scenario, grid, certificates)


def worker_killed(scenario: Scenario) -> None:
    grid = Grid(scenario.work, scenario.directory / "grid")
    with closing(Closing(grid)):
        faults.worker_killed(scenario, grid)


def grid_restarted(scenario: Scenario) -> None:
    grid = Grid(scenario.work, scenario.directory / "grid")
    with closing(Closing(grid)):
        faults.grid_restarted(scenario, grid)


def casd_killed(scenario: Scenario) -> None:
    casd = Casd(scenario.work, scenario.directory / "casd", executes=True)
    with closing(Closing(casd)):
        faults.casd_killed(scenario, casd)


SCENARIOS: dict[str, Callable[[Scenario], None]] = {
    "casd-cache": casd_cache,
    "casd-execution": casd_execution,
    "grid-cache": grid_cache,
    "grid-execution": grid_execution,
    "grid-log-streams": grid_log_streams,
    "grid-security": grid_security,
    "worker-killed": worker_killed,
    "grid-restarted": grid_restarted,
    "casd-killed": casd_killed,
}


def control(scenario: Scenario, address: str) -> None:
    """Other clients of the same server."""
    clients: dict[str, Callable[[], str]] = {
        "Pants 2.17.1": lambda: controls.pants(scenario.work, scenario.directory / "control", address),
        "Bazel": lambda: controls.bazel(scenario.directory / "control", address),
    }
    for name, client in clients.items():
        try:
            scenario.report(f"control: {name}", client())
        except Skipped as reason:
            print(f"skipped: {name} in {scenario.name}: {reason}", flush=True)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="Waders against real servers, on real repositories.")
    parser.add_argument("--waders", type=Path, required=True)
    parser.add_argument("--step", type=Path, required=True, help="the static program `waders-step`")
    parser.add_argument("--repository", type=Path, action="append", required=True, help="can be repeated")
    parser.add_argument("--work", type=Path, default=Path("target/remote"), help="where servers are installed once")
    parser.add_argument(
        "--directory", type=Path, help="where machines and servers have their files; removed at the end"
    )
    parser.add_argument("--keep", action="store_true", help="keep these files")
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="can be repeated")
    return parser.parse_args(argv)


def run_repository(args: argparse.Namespace, repository: Path, directory: Path) -> list[Row]:
    name = repository.name
    waders, step = shared_copy(args.waders, directory), shared_copy(args.step, directory)
    base = directory / name
    base.mkdir()
    print(f"{name}: all goals on a machine without servers", flush=True)
    # Other users may be unable to read them: where all results are cached, they need not.
    interpreters = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    programs = Programs(waders, step, interpreters)
    prepared = prepare(repository, base, programs)
    rows: list[Row] = []
    for scenario_name in args.only or SCENARIOS:
        rows += run_scenario(args.work.absolute(), scenario_name, name, base / scenario_name, programs, prepared)
    return rows


def run_scenario(
    work: Path, name: str, repository: str, directory: Path, programs: Programs, prepared: Prepared
) -> list[Row]:
    directory.mkdir()
    scenario = Scenario(
        name, repository, work, directory, programs, prepared.checkout, prepared.runs, prepared.artifacts
    )
    try:
        SCENARIOS[name](scenario)
    except Skipped as reason:
        print(f"skipped: {name} with {repository}: {reason}", flush=True)
    except Exception as error:
        print(f"failed: {name} with {repository}: {error}", flush=True)
        if not isinstance(error, Failed):
            traceback.print_exc()
        scenario.rows.append(Row(name, repository, "failed", str(error).splitlines()[0], passed=False))
    for row in scenario.rows:
        print(row, flush=True)
    return scenario.rows


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    args.work.mkdir(parents=True, exist_ok=True)
    directory = args.directory or Path(tempfile.mkdtemp(prefix="waders-remote-"))
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    rows: list[Row] = []
    try:
        for repository in args.repository:
            rows += run_repository(args, repository.absolute(), directory)
    finally:
        if not args.keep:
            shutil.rmtree(directory, ignore_errors=True)
    print(HEAD, *rows, sep="\n")
    return 0 if rows and all(row.passed for row in rows) else 1


__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
