"""A11: the number of processes is limited, for root as for anyone."""

import os
import time

children = []
try:
    for _ in range(200):
        pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(0)
        children.append(pid)
    print(f"made {len(children)} processes where 64 are allowed")
except BlockingIOError:
    pass
