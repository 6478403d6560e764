"""Builds the source distribution in the current directory and installs what its wheel holds below /out.

Runs in a sandbox as `python -c`, with the build backends of the built-in lock in its environment.
"""

import importlib
import os
import sys
import tarfile
import zipfile

try:
    import tomllib
except ImportError:  # Python 3.10 and older
    import tomli as tomllib


def unpacked(archive):
    """The directory that the sdist holds."""
    if archive.endswith(".zip"):
        with zipfile.ZipFile(archive) as source:
            source.extractall("/tmp/sdist")
    else:
        with tarfile.open(archive) as source:
            # The sandbox is the barrier here; the filter only quiets newer Pythons.
            options = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            source.extractall("/tmp/sdist", **options)
    (directory,) = os.listdir("/tmp/sdist")
    return os.path.join("/tmp/sdist", directory)


def backend():
    """The build backend that pyproject.toml names, or setuptools as PEP 517 says."""
    system = {}
    if os.path.exists("pyproject.toml"):
        with open("pyproject.toml", "rb") as file:
            system = tomllib.load(file).get("build-system", {})
    sys.path[:0] = [os.path.abspath(path) for path in system.get("backend-path", [])]
    module, _, attribute = system.get("build-backend", "setuptools.build_meta:__legacy__").partition(":")
    found = importlib.import_module(module)
    for name in filter(None, attribute.split(".")):
        found = getattr(found, name)
    return found


def installed(name):
    """Where a member of a wheel belongs below /out."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return os.path.join("site-packages", name)
    scheme, _, rest = rest.partition("/")
    places = {"purelib": "site-packages", "platlib": "site-packages", "scripts": "bin", "headers": "include", "data": "data"}
    return os.path.join(places[scheme], rest)


def install(wheel):
    with zipfile.ZipFile(wheel) as source:
        for member in source.infolist():
            path = os.path.normpath(os.path.join("/out", installed(member.filename)))
            if member.is_dir():
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(source.read(member))
            if member.external_attr >> 16 & 0o111 or path.startswith("/out/bin/"):
                os.chmod(path, 0o755)


def main():
    (archive,) = [name for name in os.listdir(".") if name != "extra-output"]
    os.chdir(unpacked(os.path.abspath(archive)))
    sys.path.insert(0, "")
    os.makedirs("/tmp/wheel")
    # Backends talk on standard output; whoever reads this step's output looks for what went wrong.
    os.dup2(2, 1)
    install(os.path.join("/tmp/wheel", backend().build_wheel("/tmp/wheel")))


main()
