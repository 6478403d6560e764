"""Asks Waders and real Pants the same about a checkout, and prints the share of equal lines and the differing ones.

    python -m waders_compat --waders target/release/waders --pants pants --checkout ../example-python
    python -m waders_compat --waders target/release/waders --recorded ../recorded/example-python --checkout …

Exit code: 0 when everything is equal, 1 when something differs, 2 when something could not be asked.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from waders_compat import report
from waders_compat.compare import Comparison, compare
from waders_compat.question import Question, chosen, usual
from waders_compat.side import NoAnswer, Program, Recording, Side, settings


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="waders_compat", description=__doc__.splitlines()[0])
    parser.add_argument("--checkout", type=Path, required=True, help="the repository that both look at")
    parser.add_argument("--waders", required=True, help="how to run Waders")
    theirs = parser.add_mutually_exclusive_group(required=True)
    theirs.add_argument("--pants", help="how to run Pants")
    theirs.add_argument("--recorded", type=Path, help="what Pants printed: a directory with INDEX.tsv, or a peek file")
    parser.add_argument("--waders-settings", type=Path, help="a file of NAME=value lines for Waders' environment")
    parser.add_argument("--pants-settings", type=Path, help="a file of NAME=value lines for Pants' environment")
    parser.add_argument("--since", help="also ask what changed since this commit")
    parser.add_argument("--show", type=int, default=10, help="how many differing lines of a side to print")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("names", nargs="*", help="ask only these: list, peek, roots …")
    return parser.parse_args(argv)


def program(command: str, checkout: Path, file: Path | None) -> Program:
    return Program(shlex.split(command), checkout, settings(file.read_text()) if file else {})


def ask(question: Question, pants: Side, waders: Side) -> Comparison:
    """A program that ends badly without a word on standard output has no answer; one with doubts has."""
    theirs, ours = pants.answer(question), waders.answer(question)
    for name, answer in (("Pants", theirs), ("Waders", ours)):
        if answer.exit_code != 0 and not answer.text:
            return Comparison(question, (), f"{name} ends with {answer.exit_code}: {answer.messages.strip()[-1000:]}")
    return compare(question, theirs.text, ours.text)


def compare_all(args: argparse.Namespace) -> list[Comparison]:
    waders = program(args.waders, args.checkout, args.waders_settings)
    pants: Side
    if args.recorded is not None:
        pants = Recording(args.recorded)
        questions = pants.questions()
    else:
        pants = program(args.pants, args.checkout, args.pants_settings)
        questions = usual(args.since)
    return [ask(question, pants, waders) for question in chosen(questions, args.names)]


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    try:
        comparisons = compare_all(args)
    except (NoAnswer, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.as_json(comparisons, args.show) if args.json else report.text(comparisons, args.show))
    if any(comparison.trouble is not None for comparison in comparisons):
        return 2
    return 0 if all(comparison.is_equal for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
