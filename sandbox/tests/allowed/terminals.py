"""Pseudoterminals, as pexpect and `script` use them."""

import os
import pty
import sys

pid, fd = pty.fork()
if pid == 0:
    os.execv("/bin/sh", ["sh", "-c", "test -t 0 && echo terminal; tty"])
output = b""
while True:
    try:
        part = os.read(fd, 1000)
    except OSError:
        break
    if not part:
        break
    output += part
os.waitpid(pid, 0)
if b"terminal" not in output or b"/dev/pts/" not in output:
    print(f"no terminal: {output!r}")
master, slave = os.openpty()
if not os.ttyname(slave).startswith("/dev/pts/"):
    print(f"wrong terminal name: {os.ttyname(slave)}")
