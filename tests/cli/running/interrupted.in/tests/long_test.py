import os
import subprocess
import time
from pathlib import Path

import pytest


@pytest.fixture
def set_up():
    yield
    while "STUBBORN" in os.environ:
        time.sleep(0.1)
    Path("extra-output/cleaned-up").touch()


def test_that_takes_long(set_up):
    print("\nthe test waits", flush=True)
    # The number identifies this process from outside the sandbox. An interrupt can arrive as soon as it has started.
    subprocess.Popen(["sleep", "1000." + os.environ["TRANSCRIPTS_RUN"]], start_new_session=True)
    is_first_of_verify = "VERIFY" in os.environ and len(os.sched_getaffinity(0)) > 1
    while "QUICK" not in os.environ and not is_first_of_verify:
        # One long sleep would miss an interrupt that arrives just before it begins.
        time.sleep(0.1)
