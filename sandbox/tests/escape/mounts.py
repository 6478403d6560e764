"""A2, A8: the mounts cannot be changed: no new ones, no remount, no move, no detached copies, by old or new calls."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE = 1, 32, 4096, 8192


def refused(name, result):
    if result != -1:
        print(f"{name} gave {result}")
    elif ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EACCES):
        print(f"{name} was not refused but failed: {os.strerror(ctypes.get_errno())}")


refused("remount /usr", libc.mount(b"none", b"/usr", None, MS_REMOUNT | MS_BIND, None))
refused("remount /", libc.mount(b"none", b"/", None, MS_REMOUNT | MS_BIND, None))
refused("bind", libc.mount(b"/usr", b"/tmp", None, MS_BIND, None))
refused("move", libc.mount(b"/usr", b"/tmp", None, MS_MOVE, None))
refused("tmpfs", libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
refused("proc", libc.mount(b"none", b"/tmp", b"proc", 0, None))
refused("umount /proc/cpuinfo", libc.umount2(b"/proc/cpuinfo", 2))
refused("umount /proc/sys", libc.umount2(b"/proc/sys", 2))
refused("chroot", libc.chroot(b"/tmp"))
for name, number, arguments in [
    ("pivot_root", 155, (b"/tmp", b"/tmp")),
    ("open_tree", 428, (-100, b"/usr", 1)),
    ("move_mount", 429, (-100, b"/usr", -100, b"/tmp", 0)),
    ("fsopen", 430, (b"tmpfs", 0)),
    ("fspick", 433, (-100, b"/", 0)),
    ("mount_setattr", 442, (-100, b"/", 0, 0, 0)),
    ("open_tree_attr", 467, (-100, b"/usr", 1, 0, 0)),
]:
    refused(name, libc.syscall(number, *arguments))
