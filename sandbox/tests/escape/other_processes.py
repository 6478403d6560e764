"""Processes outside the step cannot be seen, and init (pid 1) cannot be signalled or inspected."""

import os
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
