"""Measures Waders and other tools on this machine and prints tables in Markdown.

python -m waders_bench sandbox --bench target/release/examples/bench
python -m waders_bench cached --waders target/release/waders --pants ./pants --repository ../example-python
python -m waders_bench edits --waders target/release/waders --repository ../example-python --files 'src/**/*.py'
python -m waders_bench by-hand --repository ../app --ours 'waders check ::' --theirs 'mypy src' --edit src/a.py
python -m waders_bench runners --repository ../jinja --edit src/jinja2/lexer.py 'uv=uv run pytest' 'Waders=waders test'
python -m waders_bench prepare --repository ../jinja --directory ../runners
python -m waders_bench services --waders target/release/waders
python -m waders_bench graph --waders target/release/waders --sizes 1000,10000,50000 --svg growth.svg
python -m waders_bench graph --waders target/release/waders --repository ../backend.ai
python -m waders_bench scaling --timeline run.json --steps 10000 --workers 200
python -m waders_bench timeline --timeline run.json --svg run.svg
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from waders_bench import by_hand, edits, graph, plot, prepared, runners, sandbox, scaling, services, table, timeline
from waders_bench.measure import CommandFailed, Pair, pair, run_command


def cached(waders: str, pants: str, repository: str, rounds: int) -> list[Pair]:
    """`test ::` with nothing changed: Waders without a daemon, Pants with a warm daemon."""

    def run(command: str) -> None:
        run_command([*shlex.split(command), "test", "::"], cwd=repository, env=dict(os.environ))

    return [pair("`test ::`, nothing changed", lambda: run(waders), lambda: run(pants), rounds, warm_up=2)]


def growth(args: argparse.Namespace) -> list[graph.Figures]:
    """Measures on synthetic repositories of each size and on a copy of a real one."""
    rows: list[graph.Figures] = []
    with tempfile.TemporaryDirectory() as directory:
        for checkout in graph.synthetic_checkouts(Path(directory), args.sizes):
            rows += graph.measure(args.waders, checkout, args.rounds)
        if args.repository:
            checkout = graph.copied_checkout(Path(directory), args.repository)
            rows += graph.measure(args.waders, checkout, args.rounds)
    if args.svg:
        lines: dict[str, list[tuple[float, float]]] = {}
        for row in rows:
            lines.setdefault(row.what.replace("`", ""), []).append((row.files, row.wall.median))
        args.svg.write_text(plot.svg(lines, "Python files", "seconds"))
    return rows


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="waders_bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    scenario = parser.add_subparsers(dest="scenario", required=True)
    sandboxes = scenario.add_parser("sandbox", help="a sandbox of Waders and one of bubblewrap")
    sandboxes.add_argument("--bench", type=Path, required=True, help="the example `bench` of the sandbox crate")
    sandboxes.add_argument("--runs", type=int, default=200)
    tests = scenario.add_parser("cached", help="a cached `test ::` of Waders and of Pants")
    tests.add_argument("--waders", required=True)
    tests.add_argument("--pants", required=True)
    tests.add_argument("--repository", required=True)
    by_hand_parser = scenario.add_parser("by-hand", help="a goal and the tool that it runs, or the same goal of Pants")
    by_hand_parser.add_argument("--repository", type=Path, required=True)
    by_hand_parser.add_argument("--ours", required=True, help="the command; `{run}` becomes a number unique to the run")
    by_hand_parser.add_argument("--ours-from-nothing", help="the command without any cache; default: `--ours`")
    by_hand_parser.add_argument("--theirs", required=True)
    by_hand_parser.add_argument("--theirs-from-nothing")
    by_hand_parser.add_argument("--their-cache", type=Path, help="a directory to remove before a run from nothing")
    by_hand_parser.add_argument(
        "--edit", action="append", default=[], help="a file to edit in each round, below the repository"
    )
    by_hand_parser.add_argument("--rounds-from-nothing", type=int, default=1)
    several = scenario.add_parser("runners", help="several runners of the tests of a repository")
    several.add_argument("--repository", type=Path, required=True)
    several.add_argument("--edit", type=Path, required=True, help="a file to edit in each round, below the repository")
    several.add_argument(
        "--from-nothing", action="append", default=[], help="NAME=COMMAND: the command without known results"
    )
    several.add_argument("runner", nargs="+", help="NAME=COMMAND")
    copies = scenario.add_parser("prepare", help="copies of a checkout of jinja for `runners`")
    copies.add_argument("--repository", type=Path, required=True)
    copies.add_argument("--directory", type=Path, required=True)
    started = scenario.add_parser("services", help="the start of services in the sandbox and on the host")
    started.add_argument("--waders", required=True)
    edited = scenario.add_parser("edits", help="findings of `check` with and without its cache")
    edited.add_argument("--waders", required=True)
    edited.add_argument("--repository", type=Path, required=True)
    edited.add_argument("--spec", default="::")
    edited.add_argument("--files", required=True, help="a glob of the files to edit, below the repository")
    edited.add_argument("--store", type=Path, required=True, help="a directory that may already contain toolchains")
    edited.add_argument("--sequences", type=int, default=50)
    edited.add_argument("--seed", type=int, default=1)
    graphs = scenario.add_parser("graph", help="goals that read the graph, on repositories of several sizes")
    graphs.add_argument("--waders", required=True)
    graphs.add_argument("--sizes", type=sizes, default=[], help="of synthetic repositories, in files: 1000,10000")
    graphs.add_argument("--repository", type=Path, help="a real repository, which is copied")
    graphs.add_argument("--svg", type=Path, help="the file for a plot of the growth")
    scale = scenario.add_parser("scaling", help="a simulation of runs with a remote cache and remote workers")
    scale.add_argument("--timeline", type=Path, required=True, help="a run that `--trace` recorded")
    scale.add_argument("--steps", type=int, default=10_000)
    scale.add_argument("--workers", type=int, default=200)
    scale.add_argument("--cores", type=int, default=2, help="of the client")
    scale.add_argument("--parallelism", type=int, default=128, help="`process_execution_remote_parallelism`")
    drawn = scenario.add_parser("timeline", help="a picture of a run that `--trace` recorded")
    drawn.add_argument("--timeline", type=Path, required=True)
    drawn.add_argument("--svg", type=Path, required=True)
    return parser.parse_args(argv)


def after_edits(args: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as directory:
        repository = args.repository.resolve()
        outcome = edits.compare(
            args.waders, repository, args.spec, args.files, args.store, Path(directory), args.sequences, args.seed
        )
    for text in outcome.differing:
        print(text)
    print(f"{args.sequences} sequences, {outcome.steps} steps: {len(outcome.differing)} differ without the cache")
    print(f"with the cache {outcome.cached_seconds:.0f} s, without {outcome.uncached_seconds:.0f} s")
    return 1 if outcome.differing else 0


def against_by_hand(args: argparse.Namespace) -> list[Pair]:
    comparison = by_hand.Comparison(
        args.repository,
        args.ours,
        args.ours_from_nothing or args.ours,
        args.theirs,
        args.theirs_from_nothing or args.theirs,
        args.their_cache,
    )
    return by_hand.compare(comparison, args.edit, args.rounds, args.rounds_from_nothing)


def simulated(args: argparse.Namespace) -> list[scaling.Row]:
    site = scaling.Site(args.cores, args.parallelism, 0.0, 1.0, server_threads=8, workers=args.workers)
    return scaling.table(scaling.MEASURED, site, scaling.recorded_seconds(args.timeline), args.steps)


def sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    try:
        if args.scenario == "edits":
            return after_edits(args)
        if args.scenario == "graph":
            print(table.figures(growth(args)))
            return 0
        if args.scenario == "timeline":
            args.svg.write_text(timeline.svg(args.timeline))
            return 0
        if args.scenario == "scaling":
            print(table.simulated(simulated(args)))
            return 0
        if args.scenario == "prepare":
            prepared.prepare(args.repository.resolve(), args.directory)
            return 0
        if args.scenario == "runners":
            repository = runners.Repository(args.repository.resolve(), args.edit)
            commands, from_nothing = runners.parse(args.runner), runners.parse(args.from_nothing)
            print(table.runners(runners.compare(repository, commands, from_nothing, args.rounds)))
            return 0
        if args.scenario == "sandbox":
            with tempfile.TemporaryDirectory() as directory:
                rows = sandbox.compare(args.bench, Path(directory), args.rounds, args.runs)
        elif args.scenario == "services":
            rows = services.compare(args.waders, [services.REDIS, services.ETCD, services.POSTGRESQL], args.rounds)
        elif args.scenario == "by-hand":
            rows = against_by_hand(args)
        else:
            rows = cached(args.waders, args.pants, args.repository, args.rounds)
    except (CommandFailed, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table.pairs(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
