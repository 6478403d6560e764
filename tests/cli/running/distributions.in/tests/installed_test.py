import importlib.metadata
import os
import subprocess

import plug.main


def test_an_installed_distribution_has_its_metadata_and_entry_points():
    assert importlib.metadata.version("fixture-plug") == "1.5"
    assert importlib.metadata.requires("fixture-plug") == ["fixture.base==2.0.1"]
    (entry_point,) = importlib.metadata.entry_points(group="fixture.group")
    assert entry_point.load()() == "loaded"


def test_its_program_runs():
    assert subprocess.run(["fixture-plug"], capture_output=True, text=True).stdout == "the answer is 42\n"


def test_its_code_is_imported_from_where_it_is_installed():
    assert "site-packages" in plug.main.__file__
    assert not os.path.exists("src/plug/main.py")
