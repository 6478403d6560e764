"""Pins the project of the current directory with uv.

Arguments: the directory for results, the lowest minor version of Python, uv, and the options of all its commands. Writes `requirements.txt` with the pinned
requirements and their hashes, and `uv.lock` with the dependencies between them.
"""

import shutil
import subprocess
import sys

out, minor, uv, *options = sys.argv[1:]
versions, pinned = "/tmp/versions.txt", f"{out}/requirements.txt"
bare = ["--no-header", "--no-annotate"]


def run(*command):
    status = subprocess.run([uv, *command, *options], stdout=subprocess.DEVNULL).returncode
    if status:
        sys.exit(status)


run("lock")
run("export", "--frozen", "--no-emit-project", "--no-hashes", "--output-file", versions, *bare)
# `uv.lock` contains no hashes of local files, so these versions are resolved again with hashes.
run("pip", "compile", versions, "--output-file", pinned, "--universal", "--generate-hashes", "--python-version", minor, *bare)
shutil.copy("uv.lock", out)
