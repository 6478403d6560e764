"""Runs the tests of `cases.toml`, as root and as an ordinary user, and prints the table of docs/security.md. Run by hand, as root:

    python3 tests/matrix/run.py             # prints the table
    python3 tests/matrix/run.py --write     # also replaces it in docs/security.md
    python3 tests/matrix/run.py D1 --write  # runs the tests of some cases, and replaces their rows only

The tests of other users run on a copy of the directory for temporary files, which is mounted in place of that of root.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/security.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- end of the matrix -->\n"
USER = 1001
TRANSCRIPTS = "transcripts_of_running_goals_match"


def executables():
    """The test binaries, and whether each has cargo's harness."""
    command = ["cargo", "test", "--locked", "--workspace", "--no-run", "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for message in map(json.loads, built.splitlines()):
        if message.get("profile", {}).get("test") and message.get("executable"):
            yield message["executable"], message["target"]["name"] != "suite"


def run(program, args, user):
    """The output of a program. `user`: as the ordinary user, with a directory for temporary files of its own."""
    environment = dict(os.environ)
    command = [program, *args]
    with tempfile.TemporaryDirectory() as home:
        if user:
            os.chown(home, USER, USER)
            shared = ROOT / "target/tmp"
            mount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
            setpriv = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
            command = ["unshare", "--mount", "sh", "-c", mount, "sh", home, str(shared), *setpriv, *command]
            environment |= {"HOME": home, "XDG_CACHE_HOME": f"{home}/cache", "TMPDIR": "/tmp"}
        found = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return found.stdout.decode(errors="replace")


def results_of_suite(text, user):
    """The results of the sandbox's suite, which runs as both users itself."""
    for name, result in re.findall(rf"^test {user}: (.*?) \.\.\. (.*)$", text, re.M):
        yield name.removeprefix("escape ").removeprefix("allowed "), result


def results_of_harness(text):
    sections = re.split(r"^---- (\S+) stdout ----\n", text, flags=re.M)[1:]
    reasons = {name: re.search(r"^skipped: (.*)$", section, re.M) for name, section in zip(sections[::2], sections[1::2])}
    skipped = {name: reason[1] for name, reason in reasons.items() if reason}
    for name, result in re.findall(r"^test (\S+) \.\.\. (ok|FAILED|ignored)", text, re.M):
        if result == "ok" and name in skipped:
            result = f"skipped: {skipped[name]}"
        yield name.rsplit("::", 1)[-1], result


def run_all(names):
    """The result of each test by user and name."""
    results = {"root": {}, "user": {}}
    wanted_names = {*names, *([TRANSCRIPTS] if any(name.endswith(".trycmd") for name in names) else [])}
    transcripts = [f"trycmd={name.removesuffix('.trycmd')}" for name in names if name.endswith(".trycmd")]
    for program, is_harness in executables():
        if not is_harness:
            text = run(program, [], False)
            for user in results:
                results[user] |= dict(results_of_suite(text, user))
            continue
        listed = run(program, ["--list"], False)
        paths = re.findall(r"^(\S+): test$", listed, re.M)
        wanted = [path for path in paths if path.rsplit("::", 1)[-1] in wanted_names]
        for user in results if wanted else ():
            text = run(program, ["--exact", "--include-ignored", "--show-output", *wanted, *transcripts], user == "user")
            print(text, file=sys.stderr)
            results[user] |= dict(results_of_harness(text))
    for user in results:
        results[user] |= {name: results[user].get(TRANSCRIPTS) for name in names if name.endswith(".trycmd")}
    return results


def verdict(case, results):
    """One word for all tests of a case, and the reasons of skipped ones."""
    found = [results.get(test) or "missing" for test in case["tests"]]
    if bad := [f"{test}: {result}" for test, result in zip(case["tests"], found) if not result.startswith(("ok", "skip"))]:
        return "**fail** (" + "; ".join(bad) + ")"
    reasons = sorted({result.removeprefix("skipped: ") for result in found if result.startswith("skip")})
    passed = sum(result == "ok" for result in found)
    if not found:
        return "skip"
    return f"{passed} pass" + (f", {len(found) - passed} skip ({'; '.join(reasons)})" if reasons else "")


def main():
    cases = tomllib.loads((Path(__file__).parent / "cases.toml").read_text())
    wanted = [arg for arg in sys.argv[1:] if not arg.startswith("-")] or list(cases)
    results = run_all({test for name in wanted for test in cases[name]["tests"]})
    before, rest = PAGE.read_text().split(BEGIN)
    old, after = rest.split(END)
    table = "| case | what is tried | as root | as an ordinary user | not covered |\n|---|---|---|---|---|\n"
    for name, case in cases.items():
        if name not in wanted:
            table += next(line + "\n" for line in old.splitlines() if line.startswith(f"| {name} |"))
            continue
        cells = [name, case["what"], *(verdict(case, results[user]) for user in results), case.get("skip", "")]
        table += "| " + " | ".join(cells) + " |\n"
    print(table)
    if "--write" in sys.argv:
        PAGE.write_text(before + BEGIN + table + END + after)
    sys.exit("**fail**" in table)


main()
