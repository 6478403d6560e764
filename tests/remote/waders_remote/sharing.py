"""A second machine takes the results of the first one from a server."""

from __future__ import annotations

from waders_remote.machine import GOALS
from waders_remote.processes import check
from waders_remote.scenario import OTHER_USER, Scenario
from waders_remote.table import traffic


def share(scenario: Scenario, address: str) -> None:
    """One machine stores its results. Another user in another folder with another home runs nothing."""
    server = [f"--remote-store-address={address}"]
    writer = scenario.machine("writer")
    wrote = [writer.run(goal, [*server, "--remote-cache-write"]) for goal in GOALS]
    scenario.check_same(writer, wrote)
    for run in wrote:
        check(not run.warnings, f"{run.warnings}")
    stored = sum(run.stored for run in wrote)
    check(stored >= sum(len(run.requested) for run in wrote), f"only {stored} results were stored")
    scenario.report("results stored", f"{stored} results, {traffic(wrote)}")

    reader = scenario.machine("reader", OTHER_USER)
    read = [reader.run(goal, [*server, "--remote-cache-read"]) for goal in GOALS]
    count = scenario.check_same(reader, read)
    for run in read:
        check(not run.warnings, f"{run.warnings}")
        check(not run.executed, f"`{run.goal}` executed {run.executed}")
        check(run.cached_remotely >= len(run.requested), f"`{run.goal}` used {run.cached_remotely} results")
    scenario.report("all results used by another user with an empty store", f"{count} steps, {traffic(read)}")

    again = [reader.run(goal, [*server, "--remote-cache-read"]) for goal in GOALS]
    check(all(run.cached_remotely == 0 for run in again), "the second run asked the server")
    scenario.report("the same again, from the own store", f"{traffic(again)}")
