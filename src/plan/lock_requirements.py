"""Resolves the project of the current directory with uv.

The argument is a JSON object: `out`, the directory for results; `uv`, the program; `lock`, the options of `uv lock`; `options`, the
options of all commands of uv; `cache`, its cache. Standard input is a socket through which a proxy to the package indexes receives
the socket that it listens on, since this process has no other network. Existing pins in `uv.lock` are kept where possible. Writes:

- `uv.lock`: what uv resolved. Files that the index lists without a hash, such as those of local directories, have one too.
- `versions.txt`: the pinned versions with the environments that they are for.
- `metadata.json`: for each distribution `name`, `version`, `requires_dist` and `requires_python`, as far as uv knows them.
"""

import array
import glob
import hashlib
import json
import os
import re
import socket
import subprocess
import sys

CALL = json.loads(sys.argv[1])
OUT = CALL["out"]


def connect_to_proxy():
    """Opens a port and passes it to the proxy. Returns what must stay open as long as the proxy is needed."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=os.dup(0))
    with socket.socket() as listener, open(os.devnull) as nothing:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        channel.sendmsg([b"-"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))])
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            os.environ[name] = "http://127.0.0.1:%d" % listener.getsockname()[1]
        os.dup2(nothing.fileno(), 0)
    return channel


def run(*command):
    status = subprocess.run([CALL["uv"], *command, *CALL["options"]], stdout=subprocess.DEVNULL).returncode
    if status:
        sys.exit(status)


def with_hash(match):
    """Adds the hash to an entry `{ url = "…" }` or `{ path = "…" }` without one."""
    import urllib.request

    place, entry = match[2], match[0]
    source = open(place, "rb") if match[1] == "path" else urllib.request.urlopen(place)
    with source:
        digest = hashlib.sha256(source.read()).hexdigest()
    return f'{entry[:-2]}, hash = "sha256:{digest}" }}'


def unpack(data, at):
    """Decodes the value of MessagePack at a position. Returns it and the position behind it."""
    kind = data[at]
    at += 1
    if kind < 0x80:
        return kind, at
    if kind in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[kind], at
    if kind in (0xD9, 0xDA, 0xDC):
        size = 1 if kind == 0xD9 else 2
        count = int.from_bytes(data[at : at + size], "big")
        at += size
    elif kind < 0xC0:
        count = kind & (0x0F if kind < 0xA0 else 0x1F)
    else:
        raise ValueError(f"unknown MessagePack type {kind}")
    if kind == 0xDC or kind < 0xA0:
        values = []
        for _ in range(count):
            value, at = unpack(data, at)
            values.append(value)
        return values, at
    return data[at : at + count].decode(), at + count


def from_cache(path):
    """The metadata that uv read while it resolved: an array of name, version, dependencies, Python versions, and more."""
    with open(path, "rb") as file:
        name, version, requires, python = unpack(file.read(), 0)[0][:4]
    return {"name": name, "version": version, "requires_dist": requires, "requires_python": python}


def from_wheel(path):
    """The metadata of a wheel in a local directory, which uv does not cache."""
    import zipfile

    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        head = wheel.read(name).decode().replace("\r\n", "\n").split("\n\n")[0]
    fields = [line.split(": ", 1) for line in head.split("\n") if ": " in line]
    field = lambda key: [value.strip() for name, value in fields if name == key]
    return {
        "name": field("Name")[0],
        "version": field("Version")[0],
        "requires_dist": field("Requires-Dist"),
        "requires_python": next(iter(field("Requires-Python")), None),
    }


def metadata(lock):
    """What is known of the packages. The lock is complete without it, so files that cannot be read are skipped."""
    cache = CALL["cache"]
    found = [(from_wheel, path) for path in re.findall(r'\{ path = "([^"]+\.whl)"', lock)]
    for pattern in ("wheels-*/**/*.msgpack", "sdists-*/**/metadata.msgpack"):
        found += [(from_cache, path) for path in sorted(glob.glob(f"{cache}/{pattern}", recursive=True))]
    for read, path in found:
        try:
            yield read(path)
        except Exception as error:
            print(f"the metadata in {path} cannot be read: {error!r}", file=sys.stderr)


channel = connect_to_proxy()
run("lock", *CALL["lock"])
run("export", "--frozen", "--no-emit-project", "--no-hashes", "--no-header", "--no-annotate", "--output-file", f"{OUT}/versions.txt")
with open("uv.lock", encoding="utf-8") as file:
    text = file.read()
text = re.sub(r'(?<!source = )\{ (path|url) = "([^"]+)"(?:(?! hash = )[^}\n])* \}', with_hash, text)
with open(f"{OUT}/uv.lock", "w", encoding="utf-8") as file:
    file.write(text)
with open(f"{OUT}/metadata.json", "w", encoding="utf-8") as file:
    json.dump([*metadata(text)], file)
