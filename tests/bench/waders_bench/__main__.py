"""Measures Waders against its peers on this machine and prints Markdown.

    python -m waders_bench sandbox --bench target/release/examples/bench
    python -m waders_bench cached --waders target/release/waders --pants ./pants --repository ../example-python
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from waders_bench import sandbox, table
from waders_bench.measure import CommandFailed, Pair, pair, run_command


def cached(waders: str, pants: str, repository: str, rounds: int) -> list[Pair]:
    """`test ::` with nothing changed: ours without a daemon, theirs with its daemon warm."""

    def run(command: str) -> None:
        run_command([*shlex.split(command), "test", "::"], cwd=repository, env=dict(os.environ))

    return [pair("`test ::`, nothing changed", lambda: run(waders), lambda: run(pants), rounds, warm_up=2)]


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="waders_bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    what = parser.add_subparsers(dest="what", required=True)
    sandboxes = what.add_parser("sandbox", help="against bubblewrap")
    sandboxes.add_argument("--bench", type=Path, required=True, help="the example `bench` of the sandbox crate")
    sandboxes.add_argument("--runs", type=int, default=200)
    tests = what.add_parser("cached", help="a cached `test ::` against Pants")
    tests.add_argument("--waders", required=True)
    tests.add_argument("--pants", required=True)
    tests.add_argument("--repository", required=True)
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    try:
        if args.what == "sandbox":
            with tempfile.TemporaryDirectory() as directory:
                rows = sandbox.compare(args.bench, Path(directory), args.rounds, args.runs)
        else:
            rows = cached(args.waders, args.pants, args.repository, args.rounds)
    except (CommandFailed, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table.pairs(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
