"""New namespaces cannot be created, not even user namespaces, and existing ones cannot be entered."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
KINDS = {
    "time": 0x80, "mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
    "pid": 0x20000000, "net": 0x40000000,
}
for kind, flag in KINDS.items():
    if libc.unshare(flag) != -1:
        print(f"unshare created a {kind} namespace")
    if kind == "time":
        continue
    pid = libc.syscall(56, flag | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0)
        print(f"clone created a {kind} namespace")

buffer = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)
pid = libc.syscall(435, buffer, ctypes.sizeof(buffer))
if pid == 0:
    os._exit(0)
if pid > 0:
    os.waitpid(pid, 0)
    print("clone3 created a user namespace")

for name in os.listdir("/proc/self/ns"):
    fd = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
    if libc.setns(fd, 0) != -1 or ctypes.get_errno() != errno.EPERM:
        print(f"setns to {name} was not denied")
    os.close(fd)
