"""Servers and workers that end in the middle of a run. The run ends well."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from waders_remote.casd import Casd
from waders_remote.execution import options
from waders_remote.grid import Grid
from waders_remote.machine import Run
from waders_remote.processes import Process, check
from waders_remote.scenario import Scenario, in_time
from waders_remote.table import traffic

# The longest of the goals.
GOAL = "test"


def descendants(pid: int) -> list[int]:
    """The processes below a process, at this moment."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name of a program is in parentheses and may contain anything.
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found


def runs_step(process: Process) -> bool:
    """Whether a step runs below a server or worker."""

    def arguments(pid: int) -> bytes:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return b""

    return any(b"waders-step\0request" in arguments(pid) for pid in descendants(process.child.pid))


def kill_all(process: Process) -> None:
    """Ends a process and everything below it, as if its machine lost power."""
    for pid in [process.child.pid, *descendants(process.child.pid)]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.child.wait()


def interrupted_run(scenario: Scenario, address: str, worker: Process, fault: Callable[[], None]) -> Run:
    """A run on workers with a fault while a step runs below `worker`. Its results are those of this machine."""
    machine = scenario.machine("client")
    start = time.monotonic()
    child = machine.start([*options(address, machine), GOAL, "::"])
    in_time(lambda: child.poll() is not None or runs_step(worker), 300, "the first step on a worker")
    check(child.poll() is None, "the run ended before a step ran on the worker")
    fault()
    run = machine.finish(GOAL, child, start)
    scenario.check_same(machine, [run])
    return run


def worker_killed(scenario: Scenario, grid: Grid) -> None:
    run = interrupted_run(scenario, grid.address, grid.workers[0], lambda: kill_all(grid.workers[0]))
    check(run.ran_remotely > 0, "the other worker ran nothing")
    scenario.report(
        "one of two workers killed", f"{run.ran_remotely} of {len(run.requested)} steps on workers, {traffic([run])}"
    )


def grid_restarted(scenario: Scenario, grid: Grid) -> None:
    run = interrupted_run(scenario, grid.address, grid.workers[-1], grid.restart)
    # A server that needs longer than the client waits for it is used no more: then the steps run on this machine.
    check(len(run.warnings) <= 1, f"at most one warning instead of {run.warnings}")
    scenario.report(
        "server killed and restarted", f"{run.ran_remotely} of {len(run.requested)} steps on workers, {traffic([run])}"
    )


def casd_killed(scenario: Scenario, casd: Casd) -> None:
    run = interrupted_run(scenario, casd.address, casd.process, lambda: kill_all(casd.process))
    check(len(run.warnings) == 1, f"one warning instead of {run.warnings}")
    here = len([step for step in run.requested if step["origin"] == "executed"]) - run.ran_remotely
    check(here > 0, "no step ran on this machine")
    scenario.report("the only server killed", f"{here} steps on this machine, one warning, {traffic([run])}")
