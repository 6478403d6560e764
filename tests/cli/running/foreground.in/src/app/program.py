"""Prints what a program sees."""

import os
import sys
from pathlib import Path

from app import names


def run():
    here, root = Path(__file__), Path.cwd()
    print("name:", __name__)
    print("arguments:", sys.argv[1:])
    print("in the build root:", (root / "pants.toml").exists())
    print("from a copy:", root not in here.parents)
    print("resource:", (here.parent / "greeting.txt").read_text().strip())
    print("import:", names.NAME)
    print("variable:", os.environ.get("FOO"))
    print("own directory on the path:", str(here.parent) in sys.path)
    return int(os.environ.get("EXIT", "0"))


if __name__ == "__main__":
    sys.exit(run())
