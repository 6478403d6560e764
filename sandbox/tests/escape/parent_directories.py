"""The root directory has no parent other than itself."""

import os

root = os.stat("/")
above_sources = os.getcwd() + "/../../.."
for path in ["/..", "/../..", above_sources, "/proc/self/root/..", "/proc/self/cwd/../..", "/proc/self/fd/../../../.."]:
    here = os.stat(path)
    if (here.st_dev, here.st_ino) != (root.st_dev, root.st_ino):
        print(f"{path} is not the root: {os.listdir(path)}")
