"""The properties of the host that a step might see: a function for each item returns the leaks that it found as text.

No packet is sent: a route is found by connecting a datagram socket.
"""

from __future__ import annotations

import ctypes
import getpass
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ITEMS: dict[str, Callable[[], list[str]]] = {}

# The directories that may exist in the root of a sandbox.
ROOT = {"bin", "dev", "etc", "home", "lib", "lib64", "proc", "sbin", "tmp", "usr"}
ROOT |= {"deps", "out", "source-roots", "src", "toolchain"}
# The one of every sandbox.
BOOT_ID = "77616465-7273-4000-8000-000000000000"


def item(function: Callable[[], list[str]]) -> Callable[[], list[str]]:
    ITEMS[function.__name__] = function
    return function


def readable(paths: Iterator[str] | list[str]) -> list[str]:
    """The paths that can be read and are not empty, with their content."""
    found = []
    for path in paths:
        try:
            if Path(path).is_dir():
                content: object = os.listdir(path)
            else:
                content = Path(path).read_bytes()[:80]
        except OSError:
            continue
        if content:
            found.append(f"{path}: {content!r}")
    return found


def difference(name: str, seen: object, expected: object) -> list[str]:
    return [] if seen == expected else [f"{name} is {seen!r}"]


# A1: files of the host


@item
def a1_top_level_directories() -> list[str]:
    return sorted(set(os.listdir("/")) - ROOT)


@item
def a1_user_database() -> list[str]:
    names = {line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()}
    return sorted(names - {"root", "waders", "nobody"})


@item
def a1_host_files() -> list[str]:
    return readable(["/etc/shadow", "/etc/ssh", "/etc/machine-id", "/etc/fstab", "/root", "/var", "/opt", "/run"])


@item
def a1_ssh_keys() -> list[str]:
    return readable([str(Path(home) / ".ssh") for home in ("/root", os.path.expanduser("~"))])


@item
def a1_root_of_other_processes() -> list[str]:
    return [
        f"/proc/{pid}/root"
        for pid in others()
        if os.path.isdir(f"/proc/{pid}/root/") and readable([f"/proc/{pid}/root"])
    ]


@item
def a1_environment_of_other_processes() -> list[str]:
    return readable([f"/proc/{pid}/environ" for pid in others()])


@item
def a1_own_executable() -> list[str]:
    exe = os.readlink("/proc/self/exe")
    return [] if exe.split("/")[1] in {"usr", "toolchain"} else [exe]


def others() -> list[int]:
    """Processes that are neither this one nor its parent."""
    family = {os.getpid(), os.getppid()}
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in family]


# A3: networks of the host


@item
def a3_interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex() if name != "lo"]


@item
def a3_route_ipv4() -> list[str]:
    return route(socket.AF_INET, ("192.0.2.1", 9))


@item
def a3_route_ipv6() -> list[str]:
    return route(socket.AF_INET6, ("2001:db8::1", 9))


def route(family: int, address: tuple[str, int]) -> list[str]:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return [f"a route to {address[0]} from {probe.getsockname()[0]}"]
    except OSError:
        return []


@item
def a3_name_servers() -> list[str]:
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith("nameserver")]


@item
def a3_listening_sockets_of_the_host() -> list[str]:
    return [line for path in ("/proc/net/tcp", "/proc/net/unix") for line in lines_of(path)[1:]]


@item
def a3_unusual_socket_families() -> list[str]:
    families = {"packet": (17, socket.SOCK_RAW), "alg": (38, socket.SOCK_SEQPACKET)}
    families |= {"vsock": (40, socket.SOCK_STREAM), "raw": (socket.AF_INET, socket.SOCK_RAW)}
    opened = []
    for name, (family, kind) in families.items():
        try:
            socket.socket(family, kind).close()
            opened.append(name)
        except OSError:
            pass
    return opened


# A9: properties that identify a machine, a user or a time


@item
def a9_hostname() -> list[str]:
    return difference("hostname", socket.gethostname(), "waders")


@item
def a9_domain_name() -> list[str]:
    name = ctypes.create_string_buffer(65)
    ctypes.CDLL(None).getdomainname(name, 65)
    return difference("domain name", name.value.decode(), "(none)") if name.value else []


@item
def a9_user() -> list[str]:
    return difference("uid, gid and name", (os.getuid(), os.getgid(), getpass.getuser()), (1000, 1000, "waders"))


@item
def a9_home_and_scratch() -> list[str]:
    seen = os.environ.get("HOME"), os.environ.get("TMPDIR")
    return difference("HOME and TMPDIR", seen, ("/home/waders", "/tmp"))


@item
def a9_time_zone() -> list[str]:
    return difference("time zone", time.tzname, ("UTC", "UTC"))


@item
def a9_locale() -> list[str]:
    return difference("LANG", os.environ.get("LANG"), "C.UTF-8")


@item
def a9_umask() -> list[str]:
    mask = os.umask(0o022)
    os.umask(mask)
    return difference("umask", oct(mask), oct(0o022))


@item
def a9_limits() -> list[str]:
    return difference("core file limit", resource.getrlimit(resource.RLIMIT_CORE), (0, 0))


@item
def a9_processor() -> list[str]:
    return [line for line in lines_of("/proc/cpuinfo") if line.startswith("model name") and "waders" not in line]


@item
def a9_memory_size() -> list[str]:
    seen = [line.split()[1] for line in lines_of("/proc/meminfo") if line.startswith("MemTotal")]
    return [f"{size} kB" for size in seen if size != "16777216"]


@item
def a9_kernel_files() -> list[str]:
    command_line = [line for line in lines_of("/proc/cmdline") if line != "quiet"]
    boot_id = [line for line in lines_of("/proc/sys/kernel/random/boot_id") if line != BOOT_ID]
    return command_line + boot_id + readable(["/proc/config.gz", "/proc/modules"])


@item
def a9_kernel_version_file() -> list[str]:
    return [line for line in lines_of("/proc/version") if os.uname().release in line]


@item
def a9_kernel_release() -> list[str]:
    return [f"uname says {os.uname().release}"]


@item
def a9_hardware() -> list[str]:
    return readable(["/sys/class", "/sys/fs/cgroup", "/proc/sys/fs/binfmt_misc"])


@item
def a9_control_group() -> list[str]:
    return [line for line in lines_of("/proc/self/cgroup") if not line.endswith(":/")]


@item
def a9_clock_since_boot() -> list[str]:
    boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    # The clocks of a sandbox start at a fixed value, 1,000,000 s.
    return [] if 0 <= boot - 1_000_000 < 3600 else [f"up for {boot:.0f} s"]


@item
def a9_inherited_environment() -> list[str]:
    known = {
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LOGNAME",
        "PATH",
        "PYTHONHASHSEED",
        "SOURCE_DATE_EPOCH",
        "TMPDIR",
        "TZ",
        "USER",
    }
    known |= {"COVERAGE_FILE", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "COLUMNS", "LINES"}
    return sorted(f"{name}={value[:60]}" for name, value in os.environ.items() if name not in known)


def lines_of(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
