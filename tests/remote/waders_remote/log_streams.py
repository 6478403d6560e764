"""A server of log streams, which BuildGrid expects elsewhere: contents that are read while they are written.

It is executed with the interpreter of BuildGrid's virtual environment: log_streams.py ADDRESS
"""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

GRPC: Any = import_module("grpc")
BYTESTREAM: Any = import_module("buildgrid._protos.google.bytestream.bytestream_pb2")
BYTESTREAM_GRPC: Any = import_module("buildgrid._protos.google.bytestream.bytestream_pb2_grpc")
LOGSTREAM: Any = import_module("buildgrid._protos.build.bazel.remote.logstream.v1.remote_logstream_pb2")
LOGSTREAM_GRPC: Any = import_module("buildgrid._protos.build.bazel.remote.logstream.v1.remote_logstream_pb2_grpc")

# The name to which a stream is written has this end, so that readers cannot write.
WRITTEN = "/written"


class Stream:
    """A stream that grows until its writer ends it."""

    def __init__(self) -> None:
        self.data, self.has_ended, self.changed = bytearray(), False, threading.Condition()

    def add(self, data: bytes, is_last: bool) -> None:
        with self.changed:
            self.data += data
            self.has_ended |= is_last
            self.changed.notify_all()

    def parts(self, offset: int) -> Iterator[bytes]:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: len(self.data) > offset or self.has_ended)
                part = bytes(self.data[offset:])
            if not part:
                return
            offset += len(part)
            yield part


class Server:
    """The services for creating, writing and reading streams."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}

    # The names of the methods are those of the API.
    def CreateLogStream(self, request: Any, _: Any) -> Any:  # noqa: N802
        name = f"{request.parent}/logStreams/{uuid.uuid4()}"
        self.streams[name] = Stream()
        return LOGSTREAM.LogStream(name=name, write_resource_name=name + WRITTEN)

    def Write(self, requests: Iterator[Any], _: Any) -> Any:  # noqa: N802
        stream = Stream()
        for request in requests:
            if request.resource_name:
                stream = self.streams[request.resource_name.removesuffix(WRITTEN)]
            stream.add(request.data, request.finish_write)
        return BYTESTREAM.WriteResponse(committed_size=len(stream.data))

    def Read(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        stream = self.streams.get(request.resource_name)
        if stream is None:
            context.abort(GRPC.StatusCode.NOT_FOUND, f"there is no stream {request.resource_name}")
            return
        for part in stream.parts(request.read_offset):
            yield BYTESTREAM.ReadResponse(data=part)

    def QueryWriteStatus(self, request: Any, _: Any) -> Any:  # noqa: N802
        stream = self.streams[request.resource_name.removesuffix(WRITTEN)]
        return BYTESTREAM.QueryWriteStatusResponse(committed_size=len(stream.data), complete=stream.has_ended)


def serve(address: str) -> None:
    # Each reader of a running step occupies a thread.
    server = GRPC.server(ThreadPoolExecutor(max_workers=200))
    services = Server()
    LOGSTREAM_GRPC.add_LogStreamServiceServicer_to_server(services, server)
    BYTESTREAM_GRPC.add_ByteStreamServicer_to_server(services, server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1])
