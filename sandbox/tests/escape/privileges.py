"""The step has no capabilities and cannot gain any; programs with the setuid bit have no effect."""

import os
import shutil
import subprocess

status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
    if int(status[name], 16):
        print(f"{name} is {status[name].strip()}")
if status["NoNewPrivs"].strip() != "1":
    print("no_new_privs is not set")
if status["Seccomp"].strip() != "2":
    print("no seccomp filter is installed")
if os.getresuid() != (1000, 1000, 1000) or os.getresgid() != (1000, 1000, 1000):
    print(f"ids are {os.getresuid()} {os.getresgid()}")
for change in [lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.setresuid(1001, 1001, 1001), lambda: os.nice(-5)]:
    try:
        change()
        print("changed user, group or priority")
    except OSError:
        pass
for words in [["su", "-c", "id -u"], ["sudo", "-n", "id", "-u"], ["pkexec", "id", "-u"], ["newuidmap", "1", "0", "0", "1"], ["mount", "-t", "tmpfs", "x", "/tmp"], ["unshare", "-Ur", "id", "-u"]]:
    if shutil.which(words[0]):
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        if done.returncode == 0:
            print(f"{' '.join(words)} succeeded: {done.stdout!r}")
