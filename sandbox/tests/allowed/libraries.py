"""Files and system calls that libraries use at import or first use."""

import asyncio
import getpass
import locale
import multiprocessing
import os
import platform
import random
import sqlite3
import ssl
import sys
import time
import uuid
import zoneinfo

if os.cpu_count() != len(os.sched_getaffinity(0)) or multiprocessing.cpu_count() != os.cpu_count():
    print(f"processors: {os.cpu_count()} and {len(os.sched_getaffinity(0))}")
if open("/proc/cpuinfo").read().count("processor\t") != os.cpu_count():
    print("/proc/cpuinfo has a different number of processors")
for path in ["self/status", "self/maps", "self/stat", "self/statm", "self/cmdline", "self/limits", "self/mountinfo", "stat", "meminfo", "uptime", "version", "loadavg", "sys/kernel/osrelease", f"{os.getpid()}/stat", "self/net/dev", "mounts", "filesystems"]:
    if not open(f"/proc/{path}", "rb").read(1):
        print(f"/proc/{path} is empty")
if os.readlink("/proc/self/exe") != os.path.realpath(sys.executable) or os.readlink("/proc/self/cwd") != os.getcwd():
    print(f"/proc/self shows another process: {os.readlink('/proc/self/exe')}")
open("/proc/self/oom_score_adj", "w").write("500")
for database in ["/src/x.db", "/out/x.db", "/tmp/x.db"]:
    connection = sqlite3.connect(database)
    connection.execute("pragma journal_mode=wal")
    with connection:
        connection.execute("create table t (x)")
        connection.execute("insert into t values (1)")
    connection.close()
if getpass.getuser() != "waders" or len({uuid.uuid4(), uuid.uuid4()}) != 2 or len(os.urandom(8)) != 8 or random.random() == random.random():
    print("wrong user name, or random values repeat")
if time.strftime("%Z") != "UTC" or not zoneinfo.ZoneInfo("Europe/Berlin"):
    print("wrong time zone, or zone data is missing")
if locale.setlocale(locale.LC_ALL, "") != "C.UTF-8" or sys.getfilesystemencoding() != "utf-8":
    print(f"locale: {locale.setlocale(locale.LC_ALL, '')}")
ssl.create_default_context()
platform.platform()


async def run_child():
    await asyncio.sleep(0.01)
    process = await asyncio.create_subprocess_exec("/bin/true")
    return await process.wait()


if asyncio.run(run_child()) != 0:
    print("asyncio cannot start processes")
if os.sysconf("SC_PHYS_PAGES") <= 0:
    print("physical memory is unknown")
