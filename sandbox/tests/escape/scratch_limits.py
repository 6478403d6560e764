"""Scratch space is limited in bytes and in number of files, and files are limited in size."""

import errno
import os
import signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("/tmp/large", "wb") as file:
        for _ in range(128):
            file.write(bytes(1 << 20))
    print("wrote 128 MiB, the limit is 64 MiB")
except OSError as error:
    if error.errno != errno.ENOSPC:
        print(error)
os.unlink("/tmp/large")
try:
    for number in range(11_000):
        os.close(os.open(f"/tmp/{number}", os.O_CREAT | os.O_WRONLY))
    print("created 11000 files, the limit is 10000")
except OSError as error:
    if error.errno != errno.ENOSPC:
        print(error)
fd = os.open("/out/sparse", os.O_CREAT | os.O_WRONLY)
try:
    os.ftruncate(fd, 1 << 40)
    print("created a file of 1 TiB")
except OSError as error:
    if error.errno != errno.EFBIG:
        print(error)
