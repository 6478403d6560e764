"""Installs the wheel as a user does, in a sandbox that has a bare Debian system, Python and pip, and no network."""

import os
import subprocess
import sys
from pathlib import Path

SOURCES = {"pants.toml": "", "src/BUILD": "python_sources()\n", "src/app.py": "", "pyproject.toml": ""}


def test_the_installed_program_runs(tmp_path):
    (wheel,) = Path.cwd().glob("**/waders-*.whl")
    prefix = tmp_path / "prefix"
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-cache-dir", "--prefix", prefix, wheel]
    subprocess.run(pip, check=True)
    program = prefix / "bin/waders"
    repository = tmp_path / "repository"
    for name, text in SOURCES.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)

    def run(*args):
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        return subprocess.check_output([program, *args], cwd=repository, env=environment, text=True)

    assert f"waders-{run('--version').strip()}-py3" in wheel.name
    assert run("list", "::").splitlines() == ["src:src", "src/app.py"]
    assert (prefix / "share/man/man1/waders-test.1").is_file()
    assert "complete --" in (prefix / "share/bash-completion/completions/waders").read_text()
