"""A worker of BuildGrid, which has none of its own: takes leases and runs them with `buildbox-run`.

It is executed with the interpreter of BuildGrid's virtual environment: worker.py BOTS CASD RUNNER NAME USER LOGS

LOGS is the server of log streams, or empty if what steps print is not passed on while they run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

PROPERTIES = {"OSFamily": "linux", "ISA": "x86-64"}

# The code of gRPC for a failure that is not one of the step.
INTERNAL = 13

GRPC: Any = import_module("grpc")
BOTS: Any = import_module("buildgrid._protos.google.devtools.remoteworkers.v1test2.bots_pb2")
BOTS_GRPC: Any = import_module("buildgrid._protos.google.devtools.remoteworkers.v1test2.bots_pb2_grpc")
REAPI: Any = import_module("buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2")
REAPI_GRPC: Any = import_module("buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2_grpc")


BYTESTREAM: Any = import_module("buildgrid._protos.google.bytestream.bytestream_pb2")
BYTESTREAM_GRPC: Any = import_module("buildgrid._protos.google.bytestream.bytestream_pb2_grpc")

# Where BuildGrid names the log streams of leases.
METADATA = "executeoperationmetadata-bin"


class Worker:
    def __init__(self, bots: str, casd: str, runner: str, name: str, user: str, logs: str) -> None:
        self.stub = BOTS_GRPC.BotsStub(GRPC.insecure_channel(bots))
        self.storage = REAPI_GRPC.ContentAddressableStorageStub(GRPC.insecure_channel(casd))
        self.casd, self.runner, self.name, self.user = casd, runner, name, int(user)
        self.logs = BYTESTREAM_GRPC.ByteStreamStub(GRPC.insecure_channel(logs)) if logs else None
        # The resource names to which the streams of the present lease are written.
        self.streams = ("", "")
        self.session = BOTS.BotSession(bot_id=name, status=BOTS.OK)
        device = self.session.worker.devices.add(handle="0")
        for key, value in PROPERTIES.items():
            device.properties.add(key=key, value=value)

    def work(self) -> None:
        """Takes leases until the process ends. A server that was restarted gets a new session."""
        while True:
            try:
                self.serve()
            except GRPC.RpcError as error:
                print(f"the session ended: {error.code()}", flush=True)
                time.sleep(0.5)

    def serve(self) -> None:
        new = BOTS.BotSession(bot_id=self.name, status=BOTS.OK, worker=self.session.worker)
        request = BOTS.CreateBotSessionRequest(parent="", bot_session=new)
        self.session = self.stub.CreateBotSession(request, timeout=30)
        while True:
            self.update()
            for lease in self.session.leases:
                if lease.state == BOTS.PENDING:
                    lease.state = BOTS.ACTIVE
                    self.update()
                    break
            for lease in self.session.leases:
                if lease.state == BOTS.ACTIVE:
                    self.carry_out(lease)

    def update(self) -> None:
        """Reports the leases, and gets new ones. The server answers late if there are none."""
        request = BOTS.UpdateBotSessionRequest(name=self.session.name, bot_session=self.session)
        try:
            self.session, call = self.stub.UpdateBotSession.with_call(request, timeout=30)
            for key, value in call.trailing_metadata():
                if key == METADATA:
                    metadata = REAPI.ExecuteOperationMetadata.FromString(value)
                    self.streams = (metadata.stdout_stream_name, metadata.stderr_stream_name)
        except GRPC.RpcError as error:
            if error.code() != GRPC.StatusCode.DEADLINE_EXCEEDED:
                raise

    def carry_out(self, lease: Any) -> None:
        result, error = self.run(self.action(lease))
        result.execution_metadata.worker = self.name
        if error:
            lease.status.code, lease.status.message = INTERNAL, error
        lease.state = BOTS.COMPLETED
        lease.result.Pack(result)

    def action(self, lease: Any) -> Any:
        """The action of a lease, which contains it, or only its digest."""
        action, digest = REAPI.Action(), REAPI.Digest()
        if lease.payload.Is(action.DESCRIPTOR):
            lease.payload.Unpack(action)
        else:
            lease.payload.Unpack(digest)
            answer = self.storage.BatchReadBlobs(REAPI.BatchReadBlobsRequest(digests=[digest]))
            action.ParseFromString(answer.responses[0].data)
        return action

    def run(self, action: Any) -> tuple[Any, str]:
        """The result of an action, and why there is none."""
        other: dict[str, Any] = {}
        if os.geteuid() == 0:
            other = {"user": self.user, "group": self.user, "extra_groups": []}
        result = REAPI.ActionResult()
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            file, answer = directory / "action", directory / "result"
            file.write_bytes(action.SerializeToString())
            if other:
                os.chown(directory, self.user, self.user)
            command = [self.runner, f"--action={file}", f"--action-result={answer}", f"--remote=http://{self.casd}"]
            with self.passed_on(directory, **other) as options:
                done = subprocess.run(
                    [*command, *options, "--log-level=error"],
                    env={"PATH": "/usr/bin:/bin"},
                    stderr=subprocess.PIPE,
                    timeout=900,
                    **other,
                )
            if answer.exists():
                result.ParseFromString(answer.read_bytes())
        return result, done.stderr[-300:].decode(errors="replace") or "no result" if done.returncode != 0 else ""

    @contextmanager
    def passed_on(self, directory: Path, user: int = -1, **_: Any) -> Iterator[list[str]]:
        """Passes on what a step prints while the block runs, with these options of the runner."""
        ended = threading.Event()
        options, threads = [], []
        for option, name in zip(("--stdout-file", "--stderr-file"), self.streams, strict=True):
            if self.logs is None or not name:
                continue
            file = directory / option.strip("-")
            file.touch()
            os.chown(file, user, user)
            options.append(f"{option}={file}")
            thread = threading.Thread(target=self.logs.Write, args=(growing(file, name, ended),))
            thread.start()
            threads.append(thread)
        try:
            yield options
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def growing(file: Path, name: str, ended: threading.Event) -> Iterator[Any]:
    """What is written to a file, until its process has ended."""
    offset = 0
    with file.open("rb") as stream:
        while True:
            is_last = ended.wait(0.1)
            data = stream.read()
            if data or is_last:
                yield BYTESTREAM.WriteRequest(resource_name=name, write_offset=offset, data=data, finish_write=is_last)
            offset += len(data)
            if is_last:
                return


if __name__ == "__main__":
    Worker(*sys.argv[1:7]).work()
