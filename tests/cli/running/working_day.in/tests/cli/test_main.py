import subprocess
import sys


def test_main():
    command = [sys.executable, "-m", "acme.cli", "you"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "hello you, 1\n", done.stderr
