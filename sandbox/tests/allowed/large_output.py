"""Ten megabytes into a file on disk; the output itself is checked from outside."""

import os

with open("/out/large", "wb") as file:
    for _ in range(10):
        file.write(os.urandom(1 << 20))
if os.path.getsize("/out/large") != 10 << 20:
    print("bytes are lost")
