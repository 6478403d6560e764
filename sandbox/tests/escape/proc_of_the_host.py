"""A9: no file at the top of `/proc` tells of the host: each is ours, empty, or unreadable."""

import os

MADE = {"cmdline", "cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "swaps", "uptime", "version", "vmstat", "sys"}
OWN = {"self", "thread-self", "mounts", "net", "sysvipc"}
for name in sorted(os.listdir("/proc")):
    path = f"/proc/{name}"
    if name.isdigit() or name in MADE | OWN:
        continue
    try:
        content = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(100)
    except OSError:
        continue
    if content:
        print(f"{path} tells {content!r}")

for name in os.listdir("/proc/sys"):
    if name not in {"fs", "kernel", "net", "vm"}:
        print(f"/proc/sys/{name} is the host's")
