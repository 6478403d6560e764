"""The two sides of a comparison: a program that is run in the checkout, or its recorded output."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from waders_compat.question import Question, parse_index


class NoAnswer(Exception):
    """A side has no answer to a question."""


@dataclass(frozen=True)
class Answer:
    text: str
    exit_code: int = 0
    # Standard error.
    messages: str = ""


class Side(Protocol):
    def answer(self, question: Question) -> Answer: ...


@dataclass(frozen=True)
class Program:
    """A command with additional environment variables."""

    command: Sequence[str]
    checkout: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def answer(self, question: Question) -> Answer:
        argv = [*self.command, *question.words]
        environment = {**os.environ, **self.settings}
        done = subprocess.run(
            argv, cwd=self.checkout, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        return Answer(done.stdout, done.returncode, done.stderr)


@dataclass(frozen=True)
class Recording:
    """A directory with `INDEX.tsv` and `NAME.out` or `NAME.out.zst`, or one file with the output of `peek ::`."""

    path: Path

    def questions(self) -> list[Question]:
        if self.path.is_file():
            return [Question("peek", ("peek", "::"))]
        index = parse_index((self.path / "INDEX.tsv").read_text())
        return [question for question in index if self.file_of(question) is not None]

    def answer(self, question: Question) -> Answer:
        file = self.file_of(question)
        if file is None:
            raise NoAnswer(f"{self.path} contains no answer to `{' '.join(question.words)}`")
        return Answer(read(file))

    def file_of(self, question: Question) -> Path | None:
        if self.path.is_file():
            return self.path
        candidates = (self.path / f"{question.name}.out{ending}" for ending in ("", ".zst"))
        return next((file for file in candidates if file.is_file()), None)


def read(file: Path) -> str:
    if file.suffix != ".zst":
        return file.read_text()
    done = subprocess.run(["zstd", "-dcq", str(file)], capture_output=True, text=True)
    if done.returncode != 0:
        raise NoAnswer(f"{file}: zstd says: {done.stderr.strip()}")
    return done.stdout


def settings(text: str) -> dict[str, str]:
    """`NAME=value` lines; empty ones and those that begin with `#` say nothing."""
    lines = (line.strip() for line in text.splitlines())
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    wrong = [name for name, equals, _ in pairs if not equals]
    if wrong:
        raise ValueError(f"`{wrong[0]}` is not of the form `NAME=value`")
    return {name: value for name, _, value in pairs}
