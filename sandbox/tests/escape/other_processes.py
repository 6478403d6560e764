"""A8, A11: nobody else can be seen, and pid 1 cannot be harmed or looked into."""

import os
import signal

for pid in range(1, 400):
    if pid == os.getpid():
        continue
    for number in [signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL, signal.SIGINT]:
        try:
            os.kill(pid, number)
            # pid 1 shares our user, so that a signal may be "sent": the kernel drops it before an init.
            if pid != 1:
                print(f"killed {pid}")
        except OSError:
            pass
for name in ["root", "cwd", "exe", "ns/user", "environ", "mem", "maps", "fd", "fdinfo", "io"]:
    for look in [os.readlink, os.listdir, lambda path: open(path, "rb").read(1)]:
        try:
            print(f"/proc/1/{name} tells {look(f'/proc/1/{name}')!r}")
        except OSError:
            pass
