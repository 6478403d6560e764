"""The start of a service before a test in its sandbox, and of the same service on the host, in turns.

Waders starts a service before a test, so its time is that of a test with the service less that of the same test without
it. The programs of the host need an ordinary user, because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from waders_bench.measure import CommandFailed, Pair, Sample, run_command, seconds_of

TEST = "def test_nothing() -> None:\n    pass\n"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Plain:
    """A service as it starts on the host. `{port}`, `{peer}` and `{dir}` in its commands are those of an instance."""

    name: str
    start: Sequence[str]
    init: Sequence[str] = ()


REDIS = Plain(
    "redis",
    ["redis-server", "--bind", "127.0.0.1", "--port", "{port}", "--dir", "{dir}", "--supervised", "systemd"],
)
ETCD = Plain(
    "etcd",
    [
        *("etcd", "--data-dir", "{dir}/data", "--listen-client-urls", "http://127.0.0.1:{port}"),
        *("--advertise-client-urls", "http://127.0.0.1:{port}", "--listen-peer-urls", "http://127.0.0.1:{peer}"),
        *("--initial-advertise-peer-urls", "http://127.0.0.1:{peer}"),
        *("--initial-cluster", "default=http://127.0.0.1:{peer}"),
    ],
)
POSTGRESQL = Plain(
    "postgresql",
    ["postgres", "-D", "{dir}/data", "-k", "{dir}", "-h", "127.0.0.1", "-p", "{port}"],
    init=["initdb", "--pgdata", "{dir}/data", "--auth", "trust"],
)


@contextlib.contextmanager
def running(service: Plain, directory: Path) -> Iterator[None]:
    """Starts a service in an empty directory and waits until it reports that it is ready, as sd_notify(3) describes."""
    values = {"dir": str(directory), "port": str(free_port()), "peer": str(free_port())}
    if service.init:
        run_command([word.format(**values) for word in service.init])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reports:
        reports.bind(str(directory / "notify"))
        reports.settimeout(0.1)
        env = {**os.environ, "NOTIFY_SOCKET": str(directory / "notify")}
        argv = [word.format(**values) for word in service.start]
        process = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            await_ready(process, reports)
            yield
        finally:
            process.kill()
            process.wait()


def await_ready(process: subprocess.Popen[bytes], reports: socket.socket) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        with contextlib.suppress(TimeoutError):
            if b"READY=1" in reports.recv(4096):
                return
        if process.poll() is not None:
            raise CommandFailed(f"{process.args!r}: exit {process.returncode} before it was ready")
        if time.monotonic() > deadline:
            raise CommandFailed(f"{process.args!r}: not ready after {TIMEOUT_SECONDS} s")


def free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def start_seconds(service: Plain, instances: int) -> float:
    """Starts instances of a service at the same time, and returns the seconds until all are ready."""
    directories = [Path(tempfile.mkdtemp(prefix="service-")) for _ in range(instances)]
    with contextlib.ExitStack() as started, ThreadPoolExecutor(instances) as threads:
        for directory in directories:
            started.callback(shutil.rmtree, directory, ignore_errors=True)

        def start_all() -> None:
            for each in list(threads.map(lambda directory: enter(running(service, directory)), directories)):
                started.push(each)

        return seconds_of(start_all)


def enter(service: contextlib.AbstractContextManager[None]) -> contextlib.AbstractContextManager[None]:
    service.__enter__()
    return service


def write_repository(root: Path, names: Sequence[str], instances: int) -> None:
    """A repository with as many tests that do nothing for each service, and for none."""
    (root / "pants.toml").write_text(
        '[GLOBAL]\npants_version = "2.17.1"\nbackend_packages = ["pants.backend.python"]\n'
        '[python]\ninterpreter_constraints = ["CPython==3.11.*"]\n'
    )
    for name in ["plain", *names]:
        (root / name).mkdir()
        tags = "" if name == "plain" else f'tags=["service:{name}"], '
        (root / name / "BUILD").write_text(f'python_tests(name="tests", {tags})\n')
        for number in range(instances):
            (root / name / f"{number}_test.py").write_text(TEST)


def compare(waders: str, services: Sequence[Plain], rounds: int) -> list[Pair]:
    """Measures one instance and eight at once, with new data each time."""
    pairs = []
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        write_repository(root, [service.name for service in services], 8)

        def test(name: str, instances: int) -> float:
            what = f"{name}::" if instances > 1 else f"{name}/0_test.py"
            return seconds_of(lambda: run_command([waders, "test", "--force", what], cwd=directory))

        for service in services:
            for instances in (1, 8):
                ours, theirs = [], []
                for number in range(rounds + 1):
                    start = test(service.name, instances) - test("plain", instances)
                    plain = start_seconds(service, instances)
                    # The first round pins packages and makes data directories.
                    if number > 0:
                        ours.append(start)
                        theirs.append(plain)
                name = f"{service.name}, {'one' if instances == 1 else 'eight at once'}"
                pairs.append(Pair(name, Sample(tuple(ours)), Sample(tuple(theirs))))
    return pairs
