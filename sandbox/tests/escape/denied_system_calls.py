"""System calls that no namespace confines, or that have a history of vulnerabilities, are denied."""

import ctypes
import errno
import os

libc = ctypes.CDLL(None, use_errno=True)
DENIALS = (errno.EPERM, errno.ENOSYS)
for name, number, arguments in [
    ("ptrace", 101, (0, 0, 0, 0)),
    ("syslog", 103, (10, 0, 0)),
    ("settimeofday", 164, (0, 0)),
    ("swapon", 167, (b"/tmp/x", 0)),
    ("reboot", 169, (0, 0, 0, 0)),
    ("sethostname", 170, (b"x", 1)),
    ("setdomainname", 171, (b"x", 1)),
    ("iopl", 172, (3,)),
    ("init_module", 175, (0, 0, b"")),
    ("quotactl", 179, (0, 0, 0, 0)),
    ("clock_settime", 227, (0, 0)),
    ("kexec_load", 246, (0, 0, 0, 0)),
    ("add_key", 248, (b"user", b"x", b"y", 1, -3)),
    ("request_key", 249, (b"user", b"x", 0, -3)),
    ("keyctl", 250, (0, -3, 1)),
    ("perf_event_open", 298, (0, 0, 0, 0, 0)),
    ("fanotify_init", 300, (0x200, 0)),
    ("name_to_handle_at", 303, (-100, b"/", 0, 0, 0)),
    ("open_by_handle_at", 304, (-100, 0, 0)),
    ("process_vm_readv", 310, (1, 0, 0, 0, 0, 0)),
    ("process_vm_writev", 311, (1, 0, 0, 0, 0, 0)),
    ("kcmp", 312, (1, 1, 0, 0, 0)),
    ("finit_module", 313, (0, b"", 0)),
    ("bpf", 321, (0, 0, 0)),
    ("userfaultfd", 323, (1,)),
    ("io_uring_setup", 425, (1, 0)),
    ("pidfd_getfd", 438, (0, 0, 0)),
    ("process_madvise", 440, (0, 0, 0, 0, 0)),
    ("openat2", 437, (-100, b"/", 0, 0)),
]:
    if libc.syscall(number, *arguments) != -1 or ctypes.get_errno() not in DENIALS:
        print(f"{name} was not denied: {os.strerror(ctypes.get_errno())}")
