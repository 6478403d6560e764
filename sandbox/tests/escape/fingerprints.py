"""Everything that a program can query is the same on every machine; exceptions are listed in docs/sandbox.md."""

import getpass
import locale
import os
import platform
import pwd
import resource
import socket
import time

EXPECTED = {
    "host name": (socket.gethostname(), "waders"),
    "node": (platform.node(), "waders"),
    "domain name": (open("/proc/sys/kernel/hostname").read(), "waders\n"),
    "user": (getpass.getuser(), "waders"),
    "passwd": (pwd.getpwuid(os.getuid()).pw_dir, "/home/waders"),
    "users": (sorted(entry.pw_name for entry in pwd.getpwall()), ["nobody", "waders"]),
    "umask": (os.umask(0o022), 0o022),
    "time zone": (time.tzname, ("UTC", "UTC")),
    "offset": (time.localtime().tm_gmtoff, 0),
    "encoding": (locale.getpreferredencoding(False), "UTF-8"),
    "core": (resource.getrlimit(resource.RLIMIT_CORE), (0, 0)),
    "stack": (resource.getrlimit(resource.RLIMIT_STACK)[0], 8 << 20),
    "uptime": (open("/proc/uptime").read(), "1000000.00 1000000.00\n"),
    "ids": ([open(f"/proc/self/{file}").read().split() for file in ["uid_map", "gid_map"]], [["1000", "64999", "1"]] * 2),
    "load": (open("/proc/loadavg").read(), "0.00 0.00 0.00 1/1 1\n"),
    "command line": (open("/proc/cmdline").read(), "quiet\n"),
    "version": (open("/proc/version").read(), "Linux version 6.1.0 (waders@waders) #1 SMP\n"),
    "cgroups": ({line.rstrip("\n").rpartition(":")[2] for line in open("/proc/self/cgroup")}, {"/"}),
    "init": (open("/proc/1/stat").read().split()[:5], ["1", "(init)", "S", "0", "1"]),
    "files of init": (sorted(os.listdir("/proc/1")), ["cgroup", "cmdline", "comm", "stat", "statm", "status"]),
    "processes": ([name for name in os.listdir("/proc") if name.isdigit() and name != "1"], [str(os.getpid())]),
    "pid": (os.getpid(), 2),
    "parent": (os.getppid(), 1),
    "signals ignored": ([line.split()[1] for line in open("/proc/self/status") if line.startswith("SigIgn")], ["0000000001001000"]),
    "signals blocked": ([line.split()[1] for line in open("/proc/self/status") if line.startswith("SigBlk")], ["0000000000000000"]),
    "MAC": (open("/sys/class/net/lo/address").read() if os.path.exists("/sys") else "", ""),
    "resolver": (open("/etc/resolv.conf").read(), ""),
}
LIMITS = {
    "AS": (-1, -1),
    "CORE": (0, 0),
    "CPU": (-1, -1),
    "DATA": (-1, -1),
    "FSIZE": (1 << 30, 1 << 30),
    "MEMLOCK": (8 << 20, 8 << 20),
    "MSGQUEUE": (819200, 819200),
    "NICE": (0, 0),
    "NOFILE": (1024, 1024),
    "NPROC": (65, 65),
    "RSS": (-1, -1),
    "RTPRIO": (0, 0),
    "RTTIME": (-1, -1),
    "SIGPENDING": (2048, 2048),
    "STACK": (8 << 20, -1),
}
RTTIME = 15  # Python has no name for it.
for name, expected in LIMITS.items():
    EXPECTED[f"limit {name}"] = (resource.getrlimit(getattr(resource, f"RLIMIT_{name}", RTTIME)), expected)

for name, (found, expected) in EXPECTED.items():
    if found != expected:
        print(f"{name}: {found!r}, expected {expected!r}")

for clock, name in [(time.CLOCK_MONOTONIC, "monotonic"), (time.CLOCK_BOOTTIME, "boot")]:
    if not 1_000_000 <= time.clock_gettime(clock) < 1_000_600:
        print(f"the {name} clock does not start at 1,000,000 s: {time.clock_gettime(clock)}")
# The kernel gives the raw clock the offset of the monotonic one. NTP has slewed the latter by up to 500 ppm since the machine started.
if not 980_000 <= time.clock_gettime(time.CLOCK_MONOTONIC_RAW) < 1_020_000:
    print(f"the raw clock does not start near 1,000,000 s: {time.clock_gettime(time.CLOCK_MONOTONIC_RAW)}")
if "MemTotal:       16777216 kB" not in open("/proc/meminfo").read():
    print("meminfo is the host's")
if "vendor_id\t: waders" not in open("/proc/cpuinfo").read():
    print("cpuinfo is the host's")
if open("/proc/sys/kernel/random/boot_id").read() != "77616465-7273-4000-8000-000000000000\n":
    print("boot_id is the host's")
if os.path.exists("/proc/sys/kernel/random/uuid"):
    print("uuid exists")
