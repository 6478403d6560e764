import subprocess
import sys


def test_main():
    out = subprocess.run([sys.executable, "-m", "acme.cli", "you"], capture_output=True, text=True)
    assert out.stdout == "hello you, 1\n", out.stderr
