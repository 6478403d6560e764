from __future__ import annotations

import sys
from pathlib import Path

import pytest
from waders_bench.measure import CommandFailed
from waders_bench.services import Plain, running, start_seconds, write_repository

# Creates a file when it starts, and reports that it is ready only when `init` made its data.
PROGRAM = """
import os, pathlib, socket, sys, time
directory = pathlib.Path(sys.argv[1])
if not (directory / "data").exists():
    sys.exit(3)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reports:
    reports.sendto(b"STATUS=starting", os.environ["NOTIFY_SOCKET"])
    (directory / "started").touch()
    reports.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(60)
"""
MAKE = "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'data').touch()"


def plain(init: str) -> Plain:
    return Plain("test", [sys.executable, "-c", PROGRAM, "{dir}"], init=[sys.executable, "-c", init, "{dir}"])


def test_a_service_is_ready_when_it_says_so(tmp_path: Path) -> None:
    with running(plain(MAKE), tmp_path):
        assert (tmp_path / "started").exists()


def test_instances_have_their_own_data() -> None:
    assert 0 < start_seconds(plain(MAKE), 3) < 60


def test_a_service_that_ends_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="exit 3 before it was ready"), running(plain("pass"), tmp_path):
        pass


def test_tests_with_and_without_the_service(tmp_path: Path) -> None:
    write_repository(tmp_path, ["redis"], 2)
    assert "service:redis" in (tmp_path / "redis/BUILD").read_text()
    assert "service:" not in (tmp_path / "plain/BUILD").read_text()
    assert len(list(tmp_path.rglob("*_test.py"))) == 4
