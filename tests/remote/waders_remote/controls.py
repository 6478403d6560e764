"""Other clients of the same servers, Pants 2.17.1 and Bazel: they show what works without Waders."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from waders_remote.processes import Failed, Skipped, check, run

PANTS = "pantsbuild.pants==2.17.1"

# Pants 2.17 needs this version of Python.
PANTS_PYTHON = "3.9"

PANTS_SETTINGS = """
[GLOBAL]
pants_version = "2.17.1"
backend_packages = ["pants.backend.shell"]
pantsd = false
watch_filesystem = false
remote_store_address = "{address}"
remote_cache_read = true
remote_cache_write = true

[anonymous-telemetry]
enabled = false
"""

PANTS_BUILD = """
experimental_test_shell_command(name="tested", command="echo {text}; test -n text", tools=["echo", "test"])
"""

BAZEL_BUILD = """
genrule(name = "made", outs = ["made.txt"], cmd = "echo {text} > $@")
"""


def pants_program(work: Path) -> Path:
    """Pants in a virtual environment."""
    venv = work / "pants"
    if not (venv / "bin/pants").exists():
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        found = [str(path) for path in sorted(root.glob(f"versions/{PANTS_PYTHON}.*/bin/python"))]
        system = shutil.which(f"python{PANTS_PYTHON}")
        if not found and system is None:
            raise Skipped(f"Pants 2.17 needs Python {PANTS_PYTHON}")
        run([found[-1] if found else str(system), "-m", "venv", venv])
        try:
            run([venv / "bin/pip", "install", "--quiet", PANTS], env=os.environ)
        except Failed as error:
            raise Skipped(f"Pants cannot be installed: {error}") from error
    return venv / "bin/pants"


def pants(work: Path, directory: Path, address: str) -> str:
    """Two users of Pants share the result of a test. Returns what happened."""
    program, workspace = pants_program(work), directory / "pants"
    workspace.mkdir(parents=True)
    (workspace / "pants.toml").write_text(PANTS_SETTINGS.format(address=address))
    (workspace / "BUILD").write_text(PANTS_BUILD.format(text=directory.name))
    outputs = []
    for user in ("one", "two"):
        own = {"HOME": user, "PANTS_LOCAL_STORE_DIR": "store", "PANTS_NAMED_CACHES_DIR": "named"}
        env = {"PATH": os.environ["PATH"], **{name: str(directory / user / path) for name, path in own.items()}}
        Path(env["HOME"]).mkdir(parents=True)
        outputs.append(
            run([sys.executable, "-c", CHANGE_DIRECTORY, workspace, program, "--stats-log", "test", "::"], env=env)
        )
    check("remote_cache_write_successes: 1" in outputs[0], f"Pants stored nothing: {outputs[0][-2000:]}")
    check("cached remotely" in outputs[1], f"Pants found nothing: {outputs[1][-2000:]}")
    return "1 result stored, 1 cached remotely"


# Runs a program in another directory.
CHANGE_DIRECTORY = "import os, sys; os.chdir(sys.argv[1]); os.execv(sys.argv[2], sys.argv[2:])"


def bazel(directory: Path, address: str) -> str:
    """Two users of Bazel share the result of a rule. Returns what happened."""
    program = shutil.which("bazel")
    if program is None:
        raise Skipped("Bazel is not installed; Debian has it in the package `bazel-bootstrap`")
    workspace = directory / "bazel"
    workspace.mkdir(parents=True)
    (workspace / "WORKSPACE").touch()
    (workspace / "BUILD").write_text(BAZEL_BUILD.format(text=directory.name))
    outputs = []
    for user in ("one", "two"):
        start = [program, f"--output_user_root={directory / 'bazel-users' / user}", "--batch"]
        command = [*start, "build", f"--remote_cache={address}", "//:made"]
        try:
            outputs.append(run([sys.executable, "-c", CHANGE_DIRECTORY, workspace, *command], env=os.environ))
        except Failed as error:
            if "API version" in str(error):
                raise Skipped("this version of Bazel and the server have no version of the API in common") from error
            raise
    found = re.search(r"INFO: \d+ processes?: .*", outputs[1])
    check("remote cache hit" in outputs[1], f"Bazel found nothing: {outputs[1][-2000:]}")
    return found.group(0) if found else ""
