"""Builds the distributions of a project with its build backend (PEP 517), and makes their bytes reproducible.

Run in the directory of the project. Arguments: the directory to write to, and a JSON object with the keys `backend` (such
as `setuptools.build_meta:__legacy__`), `backend_path`, `wheel`, `sdist`, `wheel_settings`, `sdist_settings`.
Nothing is downloaded: a backend or a package that is missing is an error.
"""

import base64
import configparser
import email
import gzip
import hashlib
import importlib
import io
import json
import os
import re
import sys
import tarfile
import tempfile
import time
import zipfile

# The sources must not replace modules of the interpreter or of the backend.
sys.path[:] = [entry for entry in sys.path if entry]

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])


def load_backend(options):
    sys.path[:0] = [os.path.abspath(entry) for entry in options["backend_path"]]
    name, _, attributes = options["backend"].partition(":")
    try:
        backend = importlib.import_module(name)
    except ImportError as error:
        sys.exit("the build backend `{}` cannot be imported: {}".format(name, error))
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute)
    return backend


def mode(executable):
    return 0o755 if executable else 0o644


def rewrite_wheel(path, out):
    """Writes the files of a wheel sorted, with fixed times and modes, and a RECORD that lists exactly them."""
    with zipfile.ZipFile(path) as archive:
        files = {}
        for info in archive.infolist():
            if not info.is_dir():
                files[info.filename] = (archive.read(info), bool((info.external_attr >> 16) & 0o111))
    records = [name for name in files if name.count("/") == 1 and name.endswith(".dist-info/RECORD")]
    if len(records) != 1:
        sys.exit("the build backend wrote a wheel without RECORD: {}".format(os.path.basename(path)))
    record = records[0]
    dist_info = record.rpartition("/")[0] + "/"
    check_metadata(os.path.basename(path), files.get(dist_info + "METADATA", (b"", False))[0])
    check_entry_points(os.path.basename(path), files.get(dist_info + "entry_points.txt", (b"", False))[0], files)
    names = sorted(files, key=lambda name: (name == record, name.startswith(dist_info), name))
    rows = []
    for name in names[:-1]:
        content = files[name][0]
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append("{},sha256={},{}\n".format(quoted(name), digest, len(content)))
    files[record] = ("".join(rows + [quoted(record) + ",,\n"]).encode(), False)
    date = max(time.gmtime(EPOCH)[:6], (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            content, executable = files[name]
            info = zipfile.ZipInfo(name, date)
            info.create_system = 3
            info.external_attr = (0o100000 | mode(executable)) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)


def check_metadata(file_name, metadata):
    """Ends the build if the metadata names another distribution than the file name: installers refuse such a wheel."""
    headers = email.message_from_bytes(metadata)
    named = [normalized(headers.get(key, "")) for key in ("Name", "Version")]
    expected = [normalized(part) for part in file_name.split("-")[:2]]
    if named != expected:
        sys.exit("the build backend wrote `{}`, whose METADATA names `{}` `{}`".format(file_name, *named))


def check_entry_points(file_name, text, files):
    """Ends the build if an entry point names a module that is missing in a package of the wheel. A package without
    `__init__.py` can have parts in other distributions."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str
    try:
        parser.read_string(text.decode())
    except (UnicodeDecodeError, configparser.Error) as error:
        sys.exit("the build backend wrote `{}`, whose entry_points.txt is invalid: {}".format(file_name, error))
    for group in parser.sections():
        for name, value in parser.items(group):
            module = value.partition("[")[0].partition(":")[0].strip()
            path = module.replace(".", "/")
            is_here = path.split("/")[0] + "/__init__.py" in files
            if is_here and not any(file.startswith((path + ".", path + "/")) for file in files):
                message = "the entry point `{}` in `{}` names the module `{}`, which `{}` does not contain"
                sys.exit(message.format(name, group, module, file_name))


def normalized(text):
    return re.sub(r"[-_.]+", "-", text).lower()


def quoted(name):
    return '"{}"'.format(name.replace('"', '""')) if "," in name or '"' in name else name


def rewrite_sdist(path, out):
    """Writes the members of a source distribution sorted, with fixed times, modes and owners."""
    members = []
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member).read() if member.isreg() else None
            members.append((member, content))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, content in sorted(members, key=lambda entry: entry[0].name):
            clean = tarfile.TarInfo(member.name)
            clean.type, clean.linkname, clean.mtime = member.type, member.linkname, EPOCH
            clean.mode = 0o755 if member.isdir() else mode(member.mode & 0o111)
            clean.size = len(content or b"")
            archive.addfile(clean, io.BytesIO(content) if content is not None else None)
    with open(out, "wb") as stream:
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=EPOCH) as packed:
            packed.write(buffer.getvalue())


def built(backend, hook, *arguments):
    try:
        function = getattr(backend, hook)
    except AttributeError:
        sys.exit("the build backend has no hook `{}`".format(hook))
    with tempfile.TemporaryDirectory() as built_in:
        name = os.path.basename(function(built_in, *arguments))
        path = os.path.join(built_in, name)
        if not os.path.isfile(path):
            sys.exit("the build backend reported `{}` and did not write it".format(name))
        yield name, path


def main(out, options):
    options = json.loads(options)
    os.makedirs(out, exist_ok=True)
    backend = load_backend(options)
    if options["wheel"]:
        for name, path in built(backend, "build_wheel", options["wheel_settings"]):
            rewrite_wheel(path, os.path.join(out, name))
    if options["sdist"]:
        for name, path in built(backend, "build_sdist", options["sdist_settings"]):
            rewrite_sdist(path, os.path.join(out, name))


main(*sys.argv[1:])
