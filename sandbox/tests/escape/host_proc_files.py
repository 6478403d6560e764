"""No file at the top level of `/proc` describes the host: each is constant, empty or unreadable."""

import os

CONSTANT = {"cmdline", "cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "swaps", "uptime", "version", "vmstat", "sys"}
NAMESPACED = {"self", "thread-self", "mounts", "net", "sysvipc"}
for name in sorted(os.listdir("/proc")):
    path = f"/proc/{name}"
    if name.isdigit() or name in CONSTANT | NAMESPACED:
        continue
    try:
        content = os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(100)
    except OSError:
        continue
    if content:
        print(f"{path} contains {content!r}")

for name in os.listdir("/proc/sys"):
    if name not in {"fs", "kernel", "net", "vm"}:
        print(f"/proc/sys/{name} is the host's")
