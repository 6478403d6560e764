"""The questions to both sides: command lines of goals that read the graph. The sides are in `side`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GOALS = ("list", "peek", "dependencies", "dependents", "dependees", "filedeps", "filter", "paths", "roots")


@dataclass(frozen=True)
class Question:
    """A command line. `name` is also the stem of the file with a recorded answer."""

    name: str
    words: tuple[str, ...]

    @property
    def is_peek(self) -> bool:
        return "peek" in self.words

    @property
    def is_about_the_graph(self) -> bool:
        return any(word in GOALS for word in self.words)


def default_questions(since: str | None) -> list[Question]:
    """Questions about a whole repository and, if a commit is given, about the targets that changed since it."""
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


def parse_index(text: str) -> list[Question]:
    """Parses the `INDEX.tsv` of a recording: lines with a name, a tab, and the command line with the program's name."""
    rows = (line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    questions = (Question(name, tuple(command.split()[1:])) for name, command in rows)
    return [question for question in questions if question.is_about_the_graph]


def select(questions: Iterable[Question], names: Iterable[str]) -> list[Question]:
    """The questions of the given names, or all if no name is given."""
    wanted = set(names)
    questions = list(questions)
    unknown = wanted - {question.name for question in questions}
    if unknown:
        known = ", ".join(question.name for question in questions)
        raise ValueError(f"unknown names: {', '.join(sorted(unknown))}; known names: {known}")
    return [question for question in questions if not wanted or question.name in wanted]
