"""A declared input cannot be changed through a descriptor that is open for reading."""

import ctypes
import mmap
import os

libc = ctypes.CDLL(None, use_errno=True)

for path in ["/usr/bin/env", "/probes/writes.py", "/etc/passwd", "/usr"]:
    fd = os.open(path, os.O_RDONLY)
    for name, change in {
        "fchmod": lambda: os.fchmod(fd, 0o777),
        "fchown": lambda: os.fchown(fd, 0, 0),
        "ftruncate": lambda: os.ftruncate(fd, 0),
        "utime": lambda: os.utime(fd, (0, 0)),
        "reopen": lambda: os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDWR)),
        "fchmod by path": lambda: os.chmod(f"/proc/self/fd/{fd}", 0o777),
        "link": lambda: os.link(f"/proc/self/fd/{fd}", "/out/link", follow_symlinks=True),
    }.items():
        try:
            change()
            print(f"changed {path} by {name}")
        except OSError:
            pass
    if os.path.isfile(path):
        try:
            mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
            print(f"mapped {path} for writing")
        except (OSError, ValueError):
            pass
    os.close(fd)
