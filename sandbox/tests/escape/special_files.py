"""Setuid and setgid files, devices and extended attributes cannot be created by any system call."""

import ctypes
import os
import stat

libc = ctypes.CDLL(None, use_errno=True)
for directory in ["/out", "/src", "/tmp"]:
    path = f"{directory}/file"
    for bits in [0o4755, 0o2755, 0o6755]:
        with open(path, "w"):
            pass
        fd = os.open(path, os.O_RDONLY)
        for number, arguments in [
            (90, (path.encode(), bits)), (91, (fd, bits)), (268, (-100, path.encode(), bits)), (452, (-100, path.encode(), bits, 0)),
            (452, (fd, b"", bits, 0x1000)), (2, (f"{path}2".encode(), os.O_CREAT | os.O_WRONLY, bits)),
            (257, (-100, f"{path}3".encode(), os.O_CREAT | os.O_WRONLY, bits)), (85, (f"{path}4".encode(), bits)),
            (133, (f"{path}5".encode(), stat.S_IFREG | bits, 0)), (259, (-100, f"{path}6".encode(), stat.S_IFREG | bits, 0)),
            (257, (-100, directory.encode(), 0o20200000 | os.O_WRONLY, bits)), (83, (f"{path}7".encode(), bits)),
        ]:
            libc.syscall(number, *arguments)
        os.close(fd)
        for name in os.listdir(directory):
            full = os.path.join(directory, name)
            if os.lstat(full).st_mode & 0o6000:
                print(f"{full} has mode {os.lstat(full).st_mode:o}")
    for kind in [stat.S_IFCHR, stat.S_IFBLK]:
        try:
            os.mknod(f"{directory}/device", kind | 0o666, os.makedev(1, 3))
            print(f"created a device in {directory}")
        except OSError:
            pass
    for name in ["user.leak", "security.capability", "trusted.leak", "system.posix_acl_access"]:
        try:
            os.setxattr(path, name, b"x" * 20)
            print(f"set {name} in {directory}")
        except OSError:
            pass
