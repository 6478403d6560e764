"""There is no controlling terminal, and input cannot be inserted into a terminal."""

import ctypes
import errno
import os
import pty

try:
    os.close(os.open("/dev/tty", os.O_RDWR))
    print("there is a controlling terminal")
except OSError as error:
    if error.errno != errno.ENXIO:
        print(f"/dev/tty: {error}")
if os.getsid(0) != os.getpid():
    print("not the leader of its session")
master, slave = pty.openpty()
libc = ctypes.CDLL(None, use_errno=True)
for name, number in [("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541C)]:
    # The kernel uses only the lower 32 bits of the number, so a filter that compares 64 bits could be bypassed.
    for wide in [number, number | 1 << 32]:
        if libc.syscall(16, slave, ctypes.c_ulong(wide), b"x") != -1 or ctypes.get_errno() != errno.EPERM:
            print(f"{name} was not denied: {os.strerror(ctypes.get_errno())}")
