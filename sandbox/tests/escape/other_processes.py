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
for name in ["root", "cwd", "exe", "environ", "mem", "maps", "fd", "ns/user"]:
    if os.path.lexists(f"/proc/1/{name}"):
        print(f"/proc/1/{name} can be seen")
