"""Nothing can be written outside the directories that are declared writable."""

import os

for directory in ["/", "/etc", "/usr", "/usr/bin", "/usr/lib", "/probes", "/dev", "/proc", "/proc/sys", "/proc/sys/kernel", "/home", "/proc/fs"]:
    path = os.path.join(directory, "written")
    try:
        with open(path, "w"):
            pass
        print(f"wrote {path}")
    except OSError:
        pass
    try:
        os.mkdir(path)
        print(f"created {path}")
    except OSError:
        pass

for path in [
    "/etc/passwd", "/etc/hosts", "/usr/bin/env", "/proc/cpuinfo", "/proc/sys/kernel/osrelease", "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern", "/proc/mtrr", "/proc/sys/user/max_user_namespaces", __file__,
]:
    for mode in ["r+b", "ab", "wb"]:
        try:
            with open(path, mode):
                pass
            print(f"opened {path} with {mode}")
        except OSError:
            pass
    for change in [lambda: os.chmod(path, 0o777), lambda: os.unlink(path), lambda: os.utime(path, (0, 0)), lambda: os.truncate(path, 0)]:
        try:
            change()
            print(f"changed {path}")
        except OSError:
            pass
