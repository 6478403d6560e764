"""Random edits of a repository: `check` with its cache must find the same as without it.

The edits are made in a copy of the repository, and the store is separate. Every step applies an edit, checks twice and
compares the findings.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TYPES = ["int", "str", "bytes", "float", "bool", "None", "list[int]", "dict[str, int]"]

Edit = Callable[[random.Random, list[str]], list[str]]


@dataclass
class Outcome:
    steps: int = 0
    differing: list[str] = field(default_factory=list)
    cached_seconds: float = 0.0
    uncached_seconds: float = 0.0


def delete_line(chance: random.Random, lines: list[str]) -> list[str]:
    number = chance.randrange(len(lines))
    return lines[:number] + lines[number + 1 :]


def wrong_value(chance: random.Random, lines: list[str]) -> list[str]:
    return [*lines, f"added_{chance.randrange(10_000)}: int = {chance.choice(['1', repr('a'), 'None'])}"]


def missing_import(chance: random.Random, lines: list[str]) -> list[str]:
    after = [number for number, line in enumerate(lines) if line.startswith("from __future__")]
    at = after[-1] + 1 if after else 0
    return [*lines[:at], f"import nowhere_{chance.randrange(3)}", *lines[at:]]


def another_type(chance: random.Random, lines: list[str]) -> list[str]:
    """Changes the type of an argument, an attribute or a result, on which other modules rely."""
    pattern = re.compile(r"(: |-> )(" + "|".join(map(re.escape, TYPES)) + r")\b")
    found = [number for number, line in enumerate(lines) if pattern.search(line)]
    if not found:
        return wrong_value(chance, lines)
    number = chance.choice(found)
    changed = pattern.sub(lambda match: match[1] + chance.choice(TYPES), lines[number], count=1)
    return [*lines[:number], changed, *lines[number + 1 :]]


def another_name(chance: random.Random, lines: list[str]) -> list[str]:
    found = [number for number, line in enumerate(lines) if re.match(r"\s*(def|class) \w+", line)]
    if not found:
        return wrong_value(chance, lines)
    number = chance.choice(found)
    changed = re.sub(r"(def|class) (\w+)", r"\1 \2_renamed", lines[number], count=1)
    return [*lines[:number], changed, *lines[number + 1 :]]


def same_length(chance: random.Random, lines: list[str]) -> list[str]:
    """Changes a type without changing the size of the file."""
    for number in chance.sample(range(len(lines)), len(lines)):
        for old, new in [("int", "str"), ("str", "int"), ("True", "None")]:
            if re.search(rf": {old}\b|-> {old}\b", lines[number]):
                return [*lines[:number], lines[number].replace(old, new, 1), *lines[number + 1 :]]
    return wrong_value(chance, lines)


def add_function(chance: random.Random, lines: list[str]) -> list[str]:
    name, value = f"more_{chance.randrange(10_000)}", chance.choice(["a", "str(a)", "a.nothing"])
    return [*lines, "", f"def {name}(a: {chance.choice(TYPES)}) -> {chance.choice(TYPES)}:", f"    return {value}"]


def remove_function(chance: random.Random, lines: list[str]) -> list[str]:
    """Removes a function with its body."""
    found = [number for number, line in enumerate(lines) if re.match(r"\s*(async )?def \w+", line)]
    if not found:
        return delete_line(chance, lines)
    begin = chance.choice(found)
    depth = len(lines[begin]) - len(lines[begin].lstrip())
    deeper = [not line.strip() or line.startswith(" " * (depth + 1)) for line in lines[begin + 1 :]]
    end = begin + 1 + (deeper.index(False) if False in deeper else len(deeper))
    return [*lines[:begin], " " * depth + "pass", *lines[end:]]


def broken_syntax(chance: random.Random, lines: list[str]) -> list[str]:
    number = chance.randrange(len(lines) + 1)
    return [*lines[:number], chance.choice(["def (", ")", "x = = 1"]), *lines[number:]]


EDITS: Sequence[Edit] = [
    delete_line,
    wrong_value,
    missing_import,
    another_type,
    another_name,
    same_length,
    add_function,
    remove_function,
    broken_syntax,
]


def toggle_stub(chance: random.Random, path: Path) -> str:
    """Adds a stub for a module, which hides the module, or deletes it."""
    stub = path.with_suffix(".pyi")
    if stub.exists():
        stub.unlink()
        return f"{stub.name} deleted"
    names = re.findall(r"^(?:def|class) (\w+)", path.read_text(), re.MULTILINE)
    known = [f"{name}: {chance.choice(TYPES)}\n" for name in names if chance.random() < 0.8]
    stub.write_text("".join(known))
    return f"{stub.name} added"


def add_module(chance: random.Random, path: Path) -> str:
    """Adds a module that imports an existing one and is imported by it."""
    module = f"more_{chance.randrange(5)}"
    (path.parent / f"{module}.py").write_text(f"from . import {path.stem}\nvalue: {chance.choice(TYPES)} = 1\n")
    path.write_text(path.read_text() + f"\nfrom . import {module}\nof_more: int = {module}.value\n")
    return f"{module}.py added to {path.parent.name} and to {path.name}"


def edit(chance: random.Random, copy: Path, original: Path, files: Sequence[str]) -> str:
    """Makes one edit and returns its description: of a file's text, or the deletion or restoration of files."""
    name = chance.choice(files)
    path = copy / name
    kind = chance.random()
    if kind < 0.1:
        for more in {added for each in files for added in (copy / each).parent.glob("*.py*")}:
            if not (original / more.relative_to(copy)).exists():
                more.unlink()
        for each in files:
            shutil.copyfile(original / each, copy / each)
        return "everything restored"
    if kind < 0.2 or not path.exists():
        shutil.copyfile(original / name, path)
        return f"{name} restored"
    if kind < 0.25:
        path.unlink()
        return f"{name} deleted"
    if kind < 0.3:
        return toggle_stub(chance, path)
    if kind < 0.35:
        return add_module(chance, path)
    lines = path.read_text().splitlines()
    how = chance.choice(EDITS)
    path.write_text("\n".join(how(chance, lines) if lines else ["x: int = 1"]) + "\n")
    return f"{how.__name__} in {name}"


def findings(text: str) -> list[str]:
    """The findings in the output of a run, without its progress and times."""
    lines = [line for line in text.splitlines() if not line.startswith(("Completed:", "Still running"))]
    return [re.sub(r" in \d+\.\d+s( \(cached locally\))?", "", line) for line in lines]


def check(waders: str, copy: Path, store: Path, spec: str, more: Sequence[str]) -> tuple[int, list[str], float]:
    argv = [*shlex.split(waders), "check", "--only=mypy", *more, spec]
    begin = time.monotonic()
    env = {**os.environ, "XDG_CACHE_HOME": str(store)}
    done = subprocess.run(argv, cwd=copy, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, findings(done.stdout + done.stderr), time.monotonic() - begin


def compare(
    waders: str, repository: Path, spec: str, pattern: str, store: Path, directory: Path, sequences: int, seed: int
) -> Outcome:
    outcome = Outcome()
    copy = directory / "copy"
    for sequence in range(sequences):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(repository, copy, symlinks=True)
        chance = random.Random(seed * 1000 + sequence)
        files = sorted(str(path.relative_to(copy)) for path in copy.glob(pattern) if path.is_file())
        history: list[str] = []
        for _ in range(chance.randint(2, 5)):
            history.append(edit(chance, copy, repository, files))
            code, found, seconds = check(waders, copy, store, spec, [])
            expected_code, expected, uncached_seconds = check(waders, copy, store, spec, ["--mypy-cache-mode=none"])
            outcome.steps += 1
            outcome.cached_seconds += seconds
            outcome.uncached_seconds += uncached_seconds
            if (code, found) != (expected_code, expected):
                difference = [f"-{line}" for line in found if line not in expected]
                difference += [f"+{line}" for line in expected if line not in found]
                difference = difference or ["(the order)"]
                outcome.differing.append("\n".join([f"sequence {sequence}: {'; '.join(history)}", *difference]))
    return outcome
