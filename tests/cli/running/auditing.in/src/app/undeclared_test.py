import os
import shutil


def test_file_is_optional() -> None:
    assert not os.path.exists("data/settings.json")
    assert not os.path.exists("/opt/app/settings.json")
    assert shutil.which("git") is None
