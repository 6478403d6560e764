"""The zone is UTC from `/etc/localtime` also where a program clears its environment."""

import os
import time

del os.environ["TZ"]
time.tzset()
if time.tzname != ("UTC", "UTC") or time.timezone != 0:
    print(f"{time.tzname} {time.timezone}")
data = open("/etc/localtime", "rb").read()
if data[:4] != b"TZif" or not data.endswith(b"\nUTC0\n") or len(data) != 114:
    print(f"not a zone file: {data!r}")
