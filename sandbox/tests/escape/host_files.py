"""No file of the host is visible, by absolute path or through `/proc`."""

import os

for path in [
    "/root", "/home/waders/.ssh", "/var", "/opt", "/srv", "/mnt", "/media", "/boot", "/run", "/sys", "/lost+found",
    "/etc/shadow", "/etc/machine-id", "/etc/fstab", "/etc/ssh", "/etc/os-release", "/etc/debian_version",
]:
    if os.path.lexists(path):
        print(f"{path} exists")

allowed = {"bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "out", "probes", "proc", "sbin", "src", "tmp", "usr"}
for name in sorted(set(os.listdir("/")) - allowed):
    print(f"/{name} is not declared")

for name in os.listdir("/proc"):
    if name.isdigit():
        for link in ["root", "cwd", "exe"]:
            try:
                target = os.readlink(f"/proc/{name}/{link}")
            except OSError:
                continue
            if target.split("/")[1] not in allowed | {""}:
                print(f"/proc/{name}/{link} leads to {target}")
