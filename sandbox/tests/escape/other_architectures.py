"""System calls of another ABI (x32), whose numbers the filter does not know, kill the process."""

import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    libc.syscall(0x40000000 + 39)
    os._exit(0)
_, status = os.waitpid(pid, 0)
if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS):
    print(f"an x32 call ended with status {status}")
