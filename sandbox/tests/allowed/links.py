"""Symbolic links: relative, absolute and broken."""

import os

os.makedirs("/out/a/b")
open("/out/a/file", "w").write("x")
os.symlink("../file", "/out/a/b/link")
os.symlink("/out/a", "/out/absolute")
os.symlink("nowhere", "/out/broken")
if open("/out/absolute/b/link").read() != "x" or os.path.realpath("/out/absolute/b/link") != "/out/a/file":
    print("links do not resolve")
if os.path.exists("/out/broken"):
    print("a broken link resolves")
os.rename("/out/a", "/out/renamed")
