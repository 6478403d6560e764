"""No variable of the caller's environment is visible, in this process or through `/proc`."""

import glob
import os

expected = {"HOME", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "TMPDIR", "TZ", "LC_CTYPE"}
for name in sorted(set(os.environ) - expected):
    print(f"{name} is set")

for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        pairs = open(path, "rb").read().split(b"\0")
    except OSError:
        continue
    for pair in pairs:
        if pair and pair.partition(b"=")[0].decode() not in expected:
            print(f"{path}: {pair!r}")
