"""Without the variable TZ, the time zone is UTC from `/etc/localtime`."""

import os
import time

del os.environ["TZ"]
time.tzset()
if time.tzname != ("UTC", "UTC") or time.timezone != 0:
    print(f"wrong time zone: {time.tzname} {time.timezone}")
data = open("/etc/localtime", "rb").read()
if data[:4] != b"TZif" or not data.endswith(b"\nUTC0\n") or len(data) != 114:
    print(f"not a zone file: {data!r}")
