"""Runs buf once for each source root, because the imports and packages of protocol buffers are relative to it.

The arguments are the path of buf, its command, its arguments, and the files after the argument `--`. A settings file in the
build root applies to all source roots, unless it describes a workspace: then buf runs once and finds the source roots there.
"""

import os
import subprocess
import sys
import tempfile

split = len(sys.argv) - sys.argv[::-1].index("--") - 1
command, files = sys.argv[1:split], sys.argv[split + 1 :]

# buf uses this exit code for findings.
FINDINGS = 100

# `buf format` calls diff(1), which is not part of the system tree, to find out what it changes.
DIFF = f"""#!{sys.executable}
import difflib, sys
old, new = (open(name, encoding="utf-8").read().splitlines(keepends=True) for name in sys.argv[-2:])
lines = list(difflib.unified_diff(old, new, *sys.argv[-2:]))
sys.stdout.writelines(lines)
sys.exit(1 if lines else 0)
"""


def is_workspace():
    if os.path.exists("buf.work.yaml"):
        return True
    if not os.path.exists("buf.yaml"):
        return False
    with open("buf.yaml", encoding="utf-8") as settings:
        return any(line.startswith("modules:") for line in settings)


def by_root():
    """The files of each source root, of which the longest that contains a file is that of the file."""
    if command[1] == "format" or is_workspace():
        return {".": files}
    here = os.getcwd()
    roots = [os.path.relpath(root, here) for root in os.environ["WADERS_SOURCE_ROOTS"].split(":")]
    of_root = {}
    for file in files:
        containing = [root for root in roots if root == "." or file.startswith(root + "/")]
        of_root.setdefault(max(containing, key=len, default="."), []).append(file)
    return of_root


def settings(root):
    is_chosen = any(word == "--config" or word.startswith("--config=") for word in command)
    in_root = os.path.exists(os.path.join(root, "buf.yaml"))
    return [] if root == "." or is_chosen or in_root or not os.path.exists("buf.yaml") else ["--config=buf.yaml"]


programs = tempfile.mkdtemp()
with open(os.path.join(programs, "diff"), "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o755)) as diff:
    diff.write(DIFF)
env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
codes = set()
for root, own in sorted(by_root().items()):
    paths = [f"--path={file}" for file in own]
    codes.add(subprocess.run([*command[:2], root, *settings(root), *command[2:], *paths], env=env).returncode)
sys.exit(max(codes, key=lambda code: (code not in (0, FINDINGS), code)))
