"""A10: IPC objects are empty at the start, and so is `/dev/shm`."""

import os

for name in ["msg", "sem", "shm"]:
    with open(f"/proc/sysvipc/{name}") as table:
        if len(table.readlines()) > 1:
            print(f"System V {name} of another")
if os.listdir("/dev/shm"):
    print(f"/dev/shm holds {os.listdir('/dev/shm')}")
if os.listdir("/tmp") or os.listdir(os.environ["HOME"]):
    print("scratch space is not empty")
if os.listdir("/out"):
    print("/out is not empty")
