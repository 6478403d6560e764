"""BuildGrid with its database, and workers; or as a cache with TLS and tokens."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from waders_remote.casd import Casd
from waders_remote.certificates import Certificates
from waders_remote.processes import (
    BARE,
    SERVER_USER,
    Failed,
    Process,
    Skipped,
    check,
    free_port,
    install,
    is_root,
    run,
    shared_copy,
)

PACKAGE = "buildgrid==0.9.1"

# BuildGrid needs this version of Python.
PYTHON = "3.13"

DATABASE_USER = "postgres"

# They import modules of BuildGrid, so that only that interpreter can execute them.
WORKER = Path(__file__).with_name("worker.py")
LOG_STREAMS = Path(__file__).with_name("log_streams.py")

EXECUTING = """
server:
  - !channel {{address: "127.0.0.1:{port}", insecure-mode: true}}
authorization: {{method: none}}
connections:
  - !sql-connection &sql {{connection-string: "{database}", pool-size: 5}}
storages:
  - !disk-storage &storage {{path: "{storage}"}}
caches:
  - !lru-action-cache &cache
    storage: *storage
    max-cached-refs: 65536
    allow-updates: true
    cache-failed-actions: false
schedulers:
  - !sql-scheduler &scheduler
    sql: *sql
    storage: *storage
    action-cache: *cache
    bot-session-keepalive-timeout: 10
    logstream: {{url: "http://{logs}"}}
    max-execution-timeout: 900
    property-set: !dynamic-property-set
      match-property-keys: [OSFamily, ISA]
      wildcard-property-keys: [unixUID, unixGID]
    assigners:
      - !priority-age-assigner {{count: 1, interval: 0.05}}
instances:
  - name: ''
    services:
      - !action-cache {{cache: *cache}}
      - !execution {{scheduler: *scheduler, operation-stream-keepalive-timeout: 60}}
      - !cas {{storage: *storage}}
      - !bytestream {{storage: *storage}}
thread-pool-size: 60
"""

SECURE = """
server:
  - !channel
    address: "127.0.0.1:{port}"
    insecure-mode: false
    credentials: {{tls-server-key: {server_key}, tls-server-cert: {server_cert}}}
  - !channel
    address: "127.0.0.1:{mutual_port}"
    insecure-mode: false
    credentials: {{tls-server-key: {server_key}, tls-server-cert: {server_cert}, tls-client-certs: {ca}}}
authorization: {{method: jwt, secret: {secret}, algorithm: hs256}}
storages:
  - !lru-storage &storage {{size: 256M}}
caches:
  - !lru-action-cache &cache
    storage: *storage
    max-cached-refs: 4096
    allow-updates: true
    cache-failed-actions: false
instances:
  - name: main
    services:
      - !action-cache {{cache: *cache}}
      - !cas {{storage: *storage}}
      - !bytestream {{storage: *storage}}
thread-pool-size: 20
"""


def interpreter() -> Path:
    """An interpreter for BuildGrid."""
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))]
    found = [path for root in roots for path in sorted(root.glob(f"versions/{PYTHON}.*/bin/python"))]
    system = shutil.which(f"python{PYTHON}")
    if not found and system is None:
        raise Skipped(f"BuildGrid needs Python {PYTHON}")
    return found[-1] if found else Path(system or "")


def environment(work: Path) -> Path:
    """The virtual environment with BuildGrid."""
    venv = work / "buildgrid"
    if not (venv / "bin/bgd").exists():
        run([interpreter(), "-m", "venv", venv])
        try:
            run([venv / "bin/pip", "install", "--quiet", PACKAGE], env=os.environ)
        except Failed as error:
            raise Skipped(f"BuildGrid cannot be installed: {error}") from error
    return venv


def database_programs() -> Path:
    """The directory with the programs of PostgreSQL, which is installed where it is missing."""

    def find() -> list[Path]:
        return sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))

    if not find():
        install("postgresql")
    found = find()
    if not found:
        raise Skipped("PostgreSQL is not available")
    return found[-1].parent


class Database:
    """PostgreSQL on a Unix socket."""

    def __init__(self, directory: Path) -> None:
        programs = database_programs()
        data, self.sockets = directory / "data", directory / "sockets"
        user: list[str] = []
        for path in (data, self.sockets):
            path.mkdir(parents=True, exist_ok=True)
            if is_root():
                shutil.chown(path, DATABASE_USER, DATABASE_USER)
        if is_root():
            user = ["setpriv", f"--reuid={DATABASE_USER}", f"--regid={DATABASE_USER}", "--init-groups"]
        data.chmod(0o700)
        options = ["-U", "grid", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"]
        run([*user, programs / "initdb", "-D", data, *options], env=BARE)
        settings = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off"]
        command = [*user, programs / "postgres", "-D", data, "-k", self.sockets, *settings]
        self.process = Process.start("PostgreSQL", command, directory / "log", BARE)
        for _ in range(100):
            try:
                run([programs / "pg_isready", "-q", "-h", self.sockets, "-U", "grid", "-t", "1"], env=BARE)
                return
            except Failed:
                check(self.process.child.poll() is None, (directory / "log").read_text()[-2000:])
        raise Failed("PostgreSQL does not start")

    @property
    def address(self) -> str:
        return f"postgresql+psycopg://grid@/postgres?host={self.sockets}"


class Grid:
    """BuildGrid with two workers, and a server of log streams, which it does not have itself."""

    def __init__(self, work: Path, directory: Path, workers: int = 2) -> None:
        self.venv, self.directory = environment(work), directory
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        self.port, logs_port = free_port(), free_port()
        self.logs_host = f"127.0.0.1:{logs_port}"
        logs = [self.venv / "bin/python", shared_copy(LOG_STREAMS, directory), self.logs_host]
        self.logs = Process.start("the server of log streams", logs, directory / "logs.log", BARE)
        self.logs.wait_for(logs_port)
        self.database = Database(directory / "database")
        run([self.venv / "bin/bgd", "migrate", "apply", self.database.address], env=BARE)
        storage = directory / "storage"
        self.settings = directory / "buildgrid.yml"
        text = EXECUTING.format(port=self.port, database=self.database.address, storage=storage, logs=self.logs_host)
        self.settings.write_text(text)
        self.server = self.start()
        # Each worker has a cache of its own in front of the server.
        self.caches = [Casd(work, directory / f"worker-{number}", remote=self.host) for number in range(workers)]
        self.workers = [self._worker(number) for number in range(workers)]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"grpc://{self.host}"

    def start(self) -> Process:
        command = [self.venv / "bin/bgd", "server", "start", self.settings]
        process = Process.start("BuildGrid", command, self.directory / "buildgrid.log", BARE)
        process.wait_for(self.port)
        return process

    def restart(self) -> None:
        """Kills the server and starts it again, with its contents."""
        self.server.kill()
        self.server = self.start()

    def _worker(self, number: int) -> Process:
        program = shared_copy(WORKER, self.directory)
        cache = self.caches[number]
        runner = cache.directory / "buildbox-run"
        casd = f"127.0.0.1:{cache.port}"
        command = [self.venv / "bin/python", program, self.host, casd, runner, f"worker-{number}", str(SERVER_USER)]
        command.append(self.logs_host)
        return Process.start(f"worker {number}", command, self.directory / f"worker-{number}.log", BARE)

    def stop(self) -> None:
        caches = [cache.process for cache in self.caches]
        for process in [*self.workers, *caches, self.server, self.database.process, self.logs]:
            process.stop()


class SecureGrid:
    """BuildGrid as a cache that demands a token, with TLS at one port and client certificates at another."""

    def __init__(self, work: Path, directory: Path, certificates: Certificates) -> None:
        self.port, self.mutual_port = free_port(), free_port()
        directory.mkdir(parents=True, exist_ok=True)
        settings = directory / "buildgrid.yml"
        files = {"server_key": "server.key", "server_cert": "server.pem", "ca": "ca.pem", "secret": "secret"}
        paths = {name: certificates.path(file) for name, file in files.items()}
        settings.write_text(SECURE.format(port=self.port, mutual_port=self.mutual_port, **paths))
        command = [environment(work) / "bin/bgd", "server", "start", settings]
        self.process = Process.start("BuildGrid", command, directory / "buildgrid.log", BARE)
        self.process.wait_for(self.port)
        self.process.wait_for(self.mutual_port)

    def stop(self) -> None:
        self.process.stop()
