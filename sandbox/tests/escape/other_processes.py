"""Processes outside the step cannot be seen, and init (pid 1) cannot be signalled, inspected or slowed down."""

import ctypes
import os
import resource
import signal

for pid in range(1, 400):
    if pid == os.getpid():
        continue
    for number in [signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL, signal.SIGINT]:
        try:
            os.kill(pid, number)
            # Sending to pid 1 succeeds, because it runs as the same user, but the kernel discards the signal: an init
            # receives only signals that it handles.
            if pid != 1:
                print(f"killed {pid}")
        except OSError:
            pass
for name in ["root", "cwd", "exe", "ns/user", "environ", "mem", "maps", "fd", "fdinfo", "io"]:
    for read in [os.readlink, os.listdir, lambda path: open(path, "rb").read(1)]:
        try:
            print(f"/proc/1/{name} is readable: {read(f'/proc/1/{name}')!r}")
        except OSError:
            pass

for limit in [resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_AS]:
    try:
        resource.prlimit(1, limit, (0, 0))
        print(f"the limit {limit} of pid 1 was changed")
    except OSError:
        pass
    resource.prlimit(os.getpid(), limit)
    resource.prlimit(0, limit)
for name, call in {
    "affinity": lambda: os.sched_setaffinity(1, {0}),
    "scheduler": lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
    "priority of the user": lambda: os.setpriority(os.PRIO_USER, 0, 19),
}.items():
    try:
        call()
        print(f"the {name} of pid 1 was changed")
    except OSError:
        pass
IOPRIO_SET, BEST_EFFORT_LOWEST = {"x86_64": 251, "aarch64": 30}[os.uname().machine], 2 << 13 | 7
for which, who in [(1, 1), (3, os.getuid())]:
    if ctypes.CDLL(None).syscall(IOPRIO_SET, which, who, BEST_EFFORT_LOWEST) == 0:
        print(f"the I/O priority of pid 1 was changed by {which}")
os.sched_setaffinity(0, os.sched_getaffinity(0))
# The lowest priority is allowed whatever priority this process started with.
os.setpriority(os.PRIO_PROCESS, 0, 19)
