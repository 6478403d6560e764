"""Programs, shells, pipes, signals, threads and exit codes."""

import os
import signal
import subprocess
import sys
import threading

if subprocess.run(["/bin/sh", "-c", "echo a | tr a b; exit 3"], capture_output=True).returncode != 3:
    print("wrong exit code")
if subprocess.check_output("echo $HOME", shell=True, text=True) != "/home/waders\n":
    print("the shell does not see HOME")
child = subprocess.Popen(["sleep", "60"])
child.terminate()
if child.wait() != -signal.SIGTERM:
    print("the child did not end by SIGTERM")
if subprocess.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]).returncode != -9:
    print("a child cannot kill itself")
if os.system("echo > /dev/null; test -r /dev/stdin") != 0:
    print("standard devices cannot be opened")
seen = []
threads = [threading.Thread(target=seen.append, args=(number,)) for number in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if len(seen) != 20:
    print("not all threads ran")
reader, writer = os.pipe()
pid = os.posix_spawn("/bin/echo", ["echo", "spawned"], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
os.waitpid(pid, 0)
if os.read(reader, 100) != b"spawned\n":
    print("posix_spawn failed")
