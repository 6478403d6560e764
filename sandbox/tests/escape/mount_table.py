"""The mount table contains no device or directory of the host except those that docs/sandbox.md lists: the directory of
a bind, the file system that contains it, and the host's user id of a tmpfs."""

for line in open("/proc/self/mountinfo"):
    left, _, right = line.partition(" - ")
    point, kind = left.split()[4], right.split()[0]
    # `waders audit --probe` runs this with a pinned system tree and interpreter.
    if point.split("/")[1] not in {"", "dev", "home", "out", "probes", "proc", "src", "tmp", "toolchain", "usr"} and point != "/etc/ssl":
        print(f"unexpected mount point: {line!r}")
    if kind in {"cgroup", "cgroup2", "sysfs", "debugfs", "tracefs", "securityfs", "mqueue", "binfmt_misc"}:
        print(f"unexpected file system: {line!r}")
    if point == "/src" and kind != "tmpfs":
        print(f"the sources are not copies: {line!r}")
