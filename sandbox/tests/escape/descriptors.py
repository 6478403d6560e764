"""Only descriptors 0, 1 and 2 are open, and the current directory is inside the sandbox (CVE-2024-21626)."""

import os

fds = {int(name) for name in os.listdir("/proc/self/fd")}
listing = max(fds)
for fd in sorted(fds - {0, 1, 2, listing}):
    print(f"descriptor {fd} is {os.readlink(f'/proc/self/fd/{fd}')}")
for fd in range(3, 4096):
    try:
        os.fstat(fd)
        print(f"descriptor {fd} is open")
    except OSError:
        pass
if os.getcwd() != "/src":
    print(f"the current directory is {os.getcwd()}")
if os.read(0, 1):
    print("stdin is not empty")
