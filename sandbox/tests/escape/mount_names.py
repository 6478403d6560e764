"""A9: the mount table names no device or directory of the host beyond what docs/sandbox.md admits: the directory of a
bind, the file system it is on, and the host's user id of a tmpfs."""

for line in open("/proc/self/mountinfo"):
    left, _, right = line.partition(" - ")
    point, kind = left.split()[4], right.split()[0]
    if point.split("/")[1] not in {"", "dev", "home", "out", "probes", "proc", "src", "tmp", "usr"}:
        print(f"mounted: {line!r}")
    if kind in {"cgroup", "cgroup2", "sysfs", "debugfs", "tracefs", "securityfs", "mqueue", "binfmt_misc"}:
        print(f"mounted: {line!r}")
    if point == "/src" and kind != "tmpfs":
        print(f"the sources are the host's own: {line!r}")
