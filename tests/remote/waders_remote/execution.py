"""All steps run on workers, and give the bytes of this machine; what they print is shown while they run."""

from __future__ import annotations

import time

from waders_remote.grid import Grid
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


# What a test prints before it takes this number of seconds.
LINE, SECONDS = "the test waits", 10

LONG_TEST = f"""

def test_that_takes_long():
    import time

    print("\\n{LINE}", flush=True)
    time.sleep({SECONDS})
"""


def stream(scenario: Scenario, grid: Grid) -> None:
    """A line of a test is shown long before the test ends on its worker."""
    machine = scenario.machine("client")
    test = min(machine.checkout.rglob("*test*.py"))
    test.write_text(test.read_text() + LONG_TEST)
    address = f"--remote-log-stream-address=grpc://{grid.logs_host}"
    file = str(test.relative_to(machine.checkout))
    child = machine.start(
        [*options(grid.address, machine), "--stream-output", address, "test", file, "--", "--capture=no"]
    )
    assert child.stdout is not None
    seen, output = [], ""
    for line in child.stdout:
        output += line.decode()
        if line.decode().rstrip().endswith(f"| {LINE}"):
            seen.append(time.monotonic())
    lead = time.monotonic() - seen[0] if seen else 0
    check(child.wait() == 0 and "Remote execution: 1 step" in output, output[-3000:])
    check(len(seen) == 1, f"the line was shown {len(seen)} times: {output[-3000:]}")
    check(lead > SECONDS / 2, f"the line was shown {lead:.1f} s before the end")
    scenario.report("a line of a running test", f"shown {lead:.1f} s before the end of a test that sleeps {SECONDS} s")
