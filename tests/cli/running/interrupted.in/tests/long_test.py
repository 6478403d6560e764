import os
import subprocess
import time
from pathlib import Path

import pytest


@pytest.fixture
def set_up():
    # The number identifies this process from outside the sandbox.
    subprocess.Popen(["sleep", "1000." + os.environ["TRANSCRIPTS_RUN"]], start_new_session=True)
    yield
    if "STUBBORN" in os.environ:
        time.sleep(1000)
    Path("extra-output/cleaned-up").touch()


def test_that_takes_long(set_up):
    if "QUICK" not in os.environ:
        time.sleep(1000)
