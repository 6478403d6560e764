"""Runs Waders against real servers of the Remote Execution API, on real repositories.

It is not part of the tests of each commit.

    python3 tests/remote/run.py --waders target/release/waders --step target/ci/waders-step \
        --repository ../example-python --repository ../frontrunner-sdk

The servers come from the package index and from Debian; docs/remote.md says what is needed. What is missing is
installed, where that is possible, or reported with `skipped:`.
"""

from __future__ import annotations

import sys

from waders_remote.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
