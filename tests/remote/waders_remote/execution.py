"""All steps run on workers, and give the bytes of this machine."""

from __future__ import annotations

from waders_remote.machine import GOALS, Machine
from waders_remote.processes import check
from waders_remote.scenario import Scenario
from waders_remote.table import traffic


def options(address: str, machine: Machine) -> list[str]:
    """What a machine needs for steps on workers, whose users must not be root in their containers."""
    return [
        "--remote-execution",
        f"--remote-execution-address={address}",
        "--remote-execution-extra-platform-properties=['unixUID=1000', 'unixGID=1000']",
        "--remote-local-execution=never",
        f"--remote-step-program={machine.programs.step}",
    ]


def execute(scenario: Scenario, address: str) -> None:
    """A machine with an empty store lets workers run all steps; then it repeats them itself and compares."""
    machine = scenario.machine("client")
    runs = [machine.run(goal, options(address, machine)) for goal in GOALS]
    scenario.check_same(machine, runs)
    for run in runs:
        check(not run.warnings, f"{run.warnings}")
        check(run.ran_remotely >= len(run.requested), f"`{run.goal}`: {run.ran_remotely} steps ran on workers")
    count = sum(run.ran_remotely for run in runs)
    scenario.report("all steps on workers", f"{count} steps, {traffic(runs)}")
    verified = machine.json(["verify", "--json", *GOALS, "::"])
    counts = verified["counts"]
    check(counts["different"] == 0 and counts["identical"] > 0, f"repeated on this machine: {counts}")
    scenario.report("repeated on this machine and compared", ", ".join(f"{counts[word]} {word}" for word in counts))
