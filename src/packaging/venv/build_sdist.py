"""Builds a source distribution and lays it out as the trees of wheels are.

Run in the unpacked source distribution, by an interpreter that can import the build backend. Arguments: the directory
to write below, the path of the interpreter for scripts. Nothing is downloaded: a backend that is not there is an error.
"""

import sys

# The sources must not stand in for modules of the interpreter or of the backend.
sys.path[:] = [entry for entry in sys.path if entry]

import base64
import configparser
import hashlib
import importlib
import os
import re
import shutil
import tempfile
import zipfile

SCHEMES = {"purelib": "site-packages", "platlib": "site-packages", "scripts": "bin", "data": "data"}
INSTALLED = {"site-packages": "", "bin": "../../../bin/", "data": "../../../"}


def build_system():
    if not os.path.exists("pyproject.toml"):
        return {}
    try:
        import tomllib
    except ImportError:
        import setuptools  # noqa: F401  (older interpreters: it brings a reader of its own)
        import tomli as tomllib
    with open("pyproject.toml", "rb") as stream:
        return tomllib.load(stream).get("build-system", {})


def load_backend():
    system = build_system()
    name, _, attributes = system.get("build-backend", "setuptools.build_meta:__legacy__").partition(":")
    sys.path[:0] = [os.path.abspath(entry) for entry in system.get("backend-path", [])]
    try:
        backend = importlib.import_module(name)
    except ImportError as error:
        requires = ", ".join(system.get("requires", ["setuptools"]))
        sys.exit("cannot build: the backend `{}` cannot be imported: {} (it requires: {})".format(name, error, requires))
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute)
    return backend


class Layout:
    def __init__(self, wheel, out_root, python):
        distribution, version = os.path.basename(wheel).split("-")[:2]
        self.name = re.sub(r"[-_.]+", "-", distribution).lower()
        self.dist_info = "{}-{}.dist-info".format(distribution, version)
        self.data = "{}-{}.data/".format(distribution, version)
        self.out_root, self.python, self.rows = out_root, python, {}

    def lay(self, archive):
        for info in archive.infolist():
            compiled = "__pycache__/" in info.filename and info.filename.endswith(".pyc")
            if not info.is_dir() and not compiled and info.filename != self.dist_info + "/RECORD":
                root, path = self.place(info.filename)
                content = archive.read(info)
                if root == "bin" and content.startswith(b"#!python"):
                    content = b"#!" + self.python.encode() + content[len(content.split(b"\n", 1)[0]):]
                self.write(root, path, content, root == "bin" or (info.external_attr >> 16) & 0o111)
        entry_points = self.dist_info + "/entry_points.txt"
        if entry_points in archive.namelist():
            self.write_scripts(archive.read(entry_points).decode())
        self.write("site-packages", self.dist_info + "/INSTALLER", b"waders\n", False)
        rows = [self.rows[path] for path in sorted(self.rows)] + [self.dist_info + "/RECORD,,"]
        self.write("site-packages", self.dist_info + "/RECORD", "".join(row + "\n" for row in rows).encode(), False)

    def place(self, name):
        if not name.startswith(self.data):
            return "site-packages", name
        scheme, path = name[len(self.data):].split("/", 1)
        return ("include/" + self.name if scheme == "headers" else SCHEMES[scheme]), path

    def write_scripts(self, text):
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
        parser.optionxform = str
        parser.read_string(text)
        for section in ("console_scripts", "gui_scripts"):
            for name, target in parser.items(section) if parser.has_section(section) else []:
                module, attribute = (part.strip() for part in target.split("[")[0].split(":"))
                text = '#!{}\nimport sys\n\nfrom {} import {}\n\nif __name__ == "__main__":\n    sys.exit({}())\n'.format(
                    self.python, module, attribute.split(".")[0], attribute
                )
                self.write("bin", name, text.encode(), True)

    def write(self, root, path, content, executable):
        out = os.path.join(self.out_root, root, path)
        if os.path.relpath(os.path.realpath(out), os.path.realpath(self.out_root)).startswith(".."):
            sys.exit("the built wheel would write outside: {}".format(path))
        os.makedirs(os.path.dirname(out), exist_ok=True)
        with open(out, "wb") as stream:
            stream.write(content)
        os.chmod(out, 0o755 if executable else 0o644)
        if root in INSTALLED:
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            installed = INSTALLED[root] + path
            quoted = '"{}"'.format(installed.replace('"', '""')) if "," in installed or '"' in installed else installed
            self.rows[root + "/" + path] = "{},sha256={},{}".format(quoted, digest, len(content))


def main(out_root, python):
    with tempfile.TemporaryDirectory() as wheels:
        backend = load_backend()
        wheel = os.path.join(wheels, backend.build_wheel(wheels))
        with zipfile.ZipFile(wheel) as archive:
            Layout(wheel, out_root, python).lay(archive)
        # Programs are packaged with the wheel file itself.
        os.makedirs(os.path.join(out_root, "wheel"))
        shutil.copyfile(wheel, os.path.join(out_root, "wheel", os.path.basename(wheel)))


main(*sys.argv[1:])
