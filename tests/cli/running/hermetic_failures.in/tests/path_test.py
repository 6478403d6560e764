import os
import shutil


def test_scripts_come_first():
    assert os.environ["PATH"].split(":")[0] == "/deps/bin"
    assert shutil.which("pytest") == "/deps/bin/pytest"
