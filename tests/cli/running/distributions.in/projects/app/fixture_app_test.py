import importlib.metadata
import subprocess

import fixture_app_code


def test_a_project_has_its_metadata_and_programs():
    assert importlib.metadata.version("fixture-app") == "3.1"
    assert fixture_app_code.__file__ == "/src/projects/app/fixture_app_code.py"
    assert subprocess.run(["fixture-app"], capture_output=True, text=True).stdout == "run as a program\n"
