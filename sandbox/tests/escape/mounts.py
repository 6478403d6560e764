"""Mounts cannot be created, remounted, moved, cloned or unmounted, by the old or the new system calls."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE = 1, 32, 4096, 8192


def check_denied(name, result):
    if result != -1:
        print(f"{name} returned {result}")
    elif ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EACCES):
        print(f"{name} failed with an unexpected error: {os.strerror(ctypes.get_errno())}")


check_denied("remount /usr", libc.mount(b"none", b"/usr", None, MS_REMOUNT | MS_BIND, None))
check_denied("remount /", libc.mount(b"none", b"/", None, MS_REMOUNT | MS_BIND, None))
check_denied("bind", libc.mount(b"/usr", b"/tmp", None, MS_BIND, None))
check_denied("move", libc.mount(b"/usr", b"/tmp", None, MS_MOVE, None))
check_denied("tmpfs", libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
check_denied("proc", libc.mount(b"none", b"/tmp", b"proc", 0, None))
check_denied("umount /proc/cpuinfo", libc.umount2(b"/proc/cpuinfo", 2))
check_denied("umount /proc/sys", libc.umount2(b"/proc/sys", 2))
check_denied("chroot", libc.chroot(b"/tmp"))
for name, number, arguments in [
    ("pivot_root", 155, (b"/tmp", b"/tmp")),
    ("open_tree", 428, (-100, b"/usr", 1)),
    ("move_mount", 429, (-100, b"/usr", -100, b"/tmp", 0)),
    ("fsopen", 430, (b"tmpfs", 0)),
    ("fspick", 433, (-100, b"/", 0)),
    ("mount_setattr", 442, (-100, b"/", 0, 0, 0)),
    ("open_tree_attr", 467, (-100, b"/usr", 1, 0, 0)),
]:
    check_denied(name, libc.syscall(number, *arguments))
