"""The cost of a sandbox: one trivial static program in a sandbox of Waders and of bubblewrap, in turns."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from waders_bench.measure import CommandFailed, Pair, Sample, run_command, seconds_of

# Does nothing and needs no library, so only the cost of the sandbox remains.
PROGRAM = """
void _start(void) { __asm__ volatile("mov $60, %eax; xor %edi, %edi; syscall"); }
"""

BUBBLEWRAP = ["bwrap", "--unshare-all", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]


def build_program(directory: Path) -> Path:
    source, program = directory / "nothing.c", directory / "nothing"
    source.write_text(PROGRAM)
    run_command(["cc", "-O2", "-static", "-nostdlib", "-o", str(program), str(source)])
    return program


def bubblewrap(program: Path) -> list[str]:
    return [*BUBBLEWRAP, "--ro-bind", str(program.parent), "/program", f"/program/{program.name}"]


def ours_seconds(bench: Path, program: Path, runs: int, pause_us: int) -> float:
    """The median time of several runs with one spawner."""
    done = subprocess.run([str(bench), str(program), str(runs), str(pause_us)], capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandFailed(f"{bench}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return median_seconds(done.stdout)


def median_seconds(report: str) -> float:
    return json.loads(report)["p50_us"] * 1e-6


def compare(bench: Path, directory: Path, rounds: int, runs: int) -> list[Pair]:
    """Measures with and without time to prepare the next sandbox between two runs."""
    program = build_program(directory)
    pairs = []
    for name, pause_us in (("trivial action, prepared", 5000), ("trivial action, back to back", 0)):
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(ours_seconds(bench, program, runs, pause_us))
            theirs.append(median_of(lambda: run_command(bubblewrap(program)), runs // 4))
        pairs.append(Pair(name, Sample(tuple(ours)), Sample(tuple(theirs))))
    return pairs


def median_of(work: Callable[[], None], runs: int) -> float:
    return Sample(tuple(seconds_of(work) for _ in range(max(runs, 1)))).median
