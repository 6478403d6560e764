"""Writing 10 MiB to a file on disk."""

import os

with open("/out/large", "wb") as file:
    for _ in range(10):
        file.write(os.urandom(1 << 20))
if os.path.getsize("/out/large") != 10 << 20:
    print("the file has the wrong size")
