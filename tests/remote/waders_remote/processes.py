"""Programs that run in the background, and what they need: free ports, other users, logs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The user of servers and workers that must not be root.
SERVER_USER = 1001


class Skipped(Exception):
    """A scenario cannot run on this machine; the reason."""


class Failed(Exception):
    """A scenario ran, and something was not as it must be."""


def check(condition: bool, message: str) -> None:
    if not condition:
        raise Failed(message)


def is_root() -> bool:
    return os.geteuid() == 0


def as_user(user: int | None) -> list[str]:
    """The beginning of a command that runs as another user; empty where that is not possible or not wanted."""
    if user is None or not is_root():
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def give(path: Path, user: int | None) -> None:
    """Makes another user the owner of everything below a path."""
    if user is not None and is_root():
        for directory, _, names in os.walk(path):
            for name in [directory, *(os.path.join(directory, name) for name in names)]:
                os.chown(name, user, user, follow_symlinks=False)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def shared_copy(program: Path, directory: Path) -> Path:
    """A copy of a program where other users can reach it."""
    copy = directory / program.name
    if not copy.exists():
        shutil.copy2(program, copy)
        copy.chmod(0o755)
    return copy


@dataclass
class Process:
    """A program in the background."""

    name: str
    child: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, name: str, command: Sequence[object], log: Path, env: Mapping[str, str]) -> Process:
        with log.open("ab") as out:
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=dict(env),
                cwd="/",
                start_new_session=True,
            )
        return cls(name, child, log)

    def wait_for(self, port: int, seconds: float = 120) -> None:
        """Returns when the program listens."""
        end = time.monotonic() + seconds
        while not is_open(port):
            if self.child.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name} does not listen: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends the program at once, as a power cut would."""
        self.child.kill()
        self.child.wait()


def run(command: Sequence[object], env: Mapping[str, str] | None = None, seconds: float = 600) -> str:
    """Runs a program to its end and returns its output."""
    result = subprocess.run(
        [str(part) for part in command],
        env=None if env is None else dict(env),
        capture_output=True,
        timeout=seconds,
        cwd="/",
    )
    text = (result.stdout + result.stderr).decode(errors="replace")
    check(result.returncode == 0, f"`{command[0]}` ended with {result.returncode}: {text[-2000:]}")
    return text


def install(package: str) -> None:
    """Installs a package of Debian."""
    if not is_root() or shutil.which("apt-get") is None:
        raise Skipped(f"the package {package} is not installed")
    try:
        run(["apt-get", "install", "-y", "-q", package], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    except Failed as error:
        raise Skipped(f"the package {package} cannot be installed") from error


# What servers get: nothing of the environment of the caller.
BARE = {"PATH": "/usr/bin:/bin", "HOME": "/tmp"}
