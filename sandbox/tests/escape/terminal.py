"""A7: no controlling terminal, and no typing into one."""

import errno
import fcntl
import os
import pty

try:
    os.close(os.open("/dev/tty", os.O_RDWR))
    print("there is a controlling terminal")
except OSError as error:
    if error.errno != errno.ENXIO:
        print(f"/dev/tty: {error}")
if os.getsid(0) != os.getpid():
    print("not the leader of a session of its own")
ours, theirs = pty.openpty()
for name, number in [("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541C)]:
    for wide in [number, number | 1 << 32]:
        try:
            fcntl.ioctl(theirs, wide & 0xFFFFFFFF, b"x")
            print(f"{name} was obeyed")
        except OSError as error:
            if error.errno != errno.EPERM:
                print(f"{name}: {error}")
