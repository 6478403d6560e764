"""System V IPC objects, `/dev/shm` and scratch space are empty at the start."""

import os

for name in ["msg", "sem", "shm"]:
    with open(f"/proc/sysvipc/{name}") as table:
        if len(table.readlines()) > 1:
            print(f"System V {name} objects exist")
if os.listdir("/dev/shm"):
    print(f"/dev/shm contains {os.listdir('/dev/shm')}")
if os.listdir("/tmp") or os.listdir(os.environ["HOME"]):
    print("scratch space is not empty")
if os.listdir("/out"):
    print("/out is not empty")
