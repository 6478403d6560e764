"""The declared sources, read-only on disk, can be changed, deleted, renamed and added to, as in any checkout."""

import os
import shutil

with open("package/module.py") as file:
    if file.read() != "VALUE = 1\n":
        print("the sources differ from the declared ones")
with open("package/module.py", "w") as file:
    file.write("VALUE = 2\n")
if open("package/module.py").read() != "VALUE = 2\n":
    print("a rewritten file has the old content")
with open("data.txt", "a") as file:
    file.write("more\n")
if open("data.txt").read() != "declared\nmore\n":
    print("an appended line is missing")
with open("package/new.py", "w"):
    pass
os.mkdir("package/sub")
os.makedirs("a/b/c")
os.symlink("data.txt", "link")
os.link("data.txt", "hard")
os.rename("data.txt", "renamed.txt")
os.replace("renamed.txt", "package/moved.txt")
os.chmod("package/moved.txt", 0o755)
os.utime("package/moved.txt", (1, 1))
os.unlink("package/module.py")
os.mkdir("package/module.py")
shutil.rmtree("package")
os.mkdir("package")
if os.listdir("package"):
    print("a newly created directory is not empty")
os.mkdir("__pycache__")
