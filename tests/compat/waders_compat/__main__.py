"""Runs the same goals of Waders and Pants in a checkout and prints the share of equal lines and the differing lines.

    python -m waders_compat --waders target/release/waders --pants pants --checkout ../example-python
    python -m waders_compat --waders target/release/waders --recorded ../recorded/example-python --checkout …

Exit code: 0 if everything is equal, 1 if something differs, 2 if a goal could not be run.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from waders_compat import report
from waders_compat.compare import Comparison, compare
from waders_compat.question import Question, default_questions, select
from waders_compat.side import NoAnswer, Program, Recording, Side, settings


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="waders_compat", description=__doc__.splitlines()[0])
    parser.add_argument("--checkout", type=Path, required=True, help="the repository")
    parser.add_argument("--waders", required=True, help="the command of Waders")
    theirs = parser.add_mutually_exclusive_group(required=True)
    theirs.add_argument("--pants", help="the command of Pants")
    theirs.add_argument("--recorded", type=Path, help="output of Pants: a directory with INDEX.tsv, or a peek file")
    parser.add_argument("--waders-settings", type=Path, help="a file of NAME=value lines for Waders' environment")
    parser.add_argument("--pants-settings", type=Path, help="a file of NAME=value lines for Pants' environment")
    parser.add_argument("--since", help="also compare the targets that changed since this commit")
    parser.add_argument("--show", type=int, default=10, help="the number of differing lines to print for each side")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("names", nargs="*", help="compare only these goals: list, peek, roots …")
    return parser.parse_args(argv)


def program(command: str, checkout: Path, file: Path | None) -> Program:
    return Program(shlex.split(command), checkout, settings(file.read_text()) if file else {})


def ask(question: Question, pants: Side, waders: Side) -> Comparison:
    """Compares the output of both sides. A program that fails without any output has no answer."""
    theirs, ours = pants.answer(question), waders.answer(question)
    for name, answer in (("Pants", theirs), ("Waders", ours)):
        if answer.exit_code != 0 and not answer.text:
            messages = answer.messages.strip()[-1000:]
            return Comparison(question, (), f"{name} failed with exit code {answer.exit_code}: {messages}")
    return compare(question, theirs.text, ours.text)


def compare_all(args: argparse.Namespace) -> list[Comparison]:
    waders = program(args.waders, args.checkout, args.waders_settings)
    pants: Side
    if args.recorded is not None:
        pants = Recording(args.recorded)
        questions = pants.questions()
    else:
        pants = program(args.pants, args.checkout, args.pants_settings)
        questions = default_questions(args.since)
    return [ask(question, pants, waders) for question in select(questions, args.names)]


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    try:
        comparisons = compare_all(args)
    except (NoAnswer, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.as_json(comparisons, args.show) if args.json else report.text(comparisons, args.show))
    if any(comparison.failure is not None for comparison in comparisons):
        return 2
    return 0 if all(comparison.is_equal for comparison in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
