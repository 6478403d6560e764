"""What is asked of both sides: command lines of graph goals. Who answers them is in `side`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GOALS = ("list", "peek", "dependencies", "dependents", "dependees", "filedeps", "filter", "paths", "roots")


@dataclass(frozen=True)
class Question:
    """`name` is also the stem of a recorded answer's file."""

    name: str
    words: tuple[str, ...]

    @property
    def is_peek(self) -> bool:
        return "peek" in self.words

    @property
    def is_about_the_graph(self) -> bool:
        return any(word in GOALS for word in self.words)


def usual(since: str | None) -> list[Question]:
    """Everything about a repository, and about what changed since a commit if one is given."""
    questions = [
        Question("list", ("list", "::")),
        Question("peek", ("peek", "::")),
        Question("deps-all", ("dependencies", "::")),
        Question("deps-trans-all", ("dependencies", "--transitive", "::")),
        Question("dependents", ("dependents", "::")),
        Question("filedeps", ("filedeps", "::")),
        Question("roots", ("roots",)),
    ]
    if since is not None:
        changed = f"--changed-since={since}"
        questions += [
            Question("changed", (changed, "list")),
            Question("changed-direct", (changed, "--changed-dependents=direct", "list")),
            Question("changed-transitive", (changed, "--changed-dependents=transitive", "list")),
        ]
    return questions


def of_index(text: str) -> list[Question]:
    """Of a recording's `INDEX.tsv`: a name, a tab, and the command line with the program's name before it."""
    rows = (line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    questions = (Question(name, tuple(command.split()[1:])) for name, command in rows)
    return [question for question in questions if question.is_about_the_graph]


def chosen(questions: Iterable[Question], names: Iterable[str]) -> list[Question]:
    """Those of the given names, or all when no name is given."""
    wanted = set(names)
    questions = list(questions)
    unknown = wanted - {question.name for question in questions}
    if unknown:
        known = ", ".join(question.name for question in questions)
        raise ValueError(f"no question is named {', '.join(sorted(unknown))}; there are {known}")
    return [question for question in questions if not wanted or question.name in wanted]
