"""A1, A9: nothing of the caller's environment, here or in any process that can be seen."""

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
