"""Temporary files, caches in HOME, and many files."""

import os
import pathlib
import tempfile

with tempfile.TemporaryDirectory() as directory:
    if not directory.startswith("/tmp/"):
        print(f"temporary directory in {directory}")
    for number in range(3000):
        pathlib.Path(directory, str(number)).write_text("x")
with tempfile.TemporaryFile() as file:
    file.write(b"x" * (1 << 20))
with tempfile.NamedTemporaryFile(dir="/out") as file:
    os.fsync(file.fileno())
cache = pathlib.Path.home() / ".cache" / "tool"
cache.mkdir(parents=True)
(cache / "file").write_text("x")
if os.path.expanduser("~") != "/home/waders" or os.path.expanduser("~waders") != "/home/waders":
    print("wrong HOME")
fd = os.memfd_create("x")
os.write(fd, b"x")
pathlib.Path("/out/result").write_text("result")
