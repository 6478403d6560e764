"""Builds a PEX file, and flattens it for a cloud function if that is requested. Nothing is downloaded.

Run by an interpreter that can import pex. The argument is a JSON object:

python          the interpreter to run pex with
pex             the arguments of pex
output          the file or directory to write
scratch         a directory on a disk, to create and remove again, for large packages
entry_point     `module` or `module:attribute`, whose existence is checked, or null
script          the name of a script of a package, whose existence is checked, or null
sources         the directory of the sources
wheels          the directory of the wheel files of requirements
distributions   the directory of the wheel files of distributions of the repository
intransitive    whether the requirements of these distributions are left out
flatten         the arguments of `pex3 venv create`, or null
"""

import ast
import configparser
import glob
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

# The size of wheels that are unpacked in memory, which is several times faster than on a disk.
IN_MEMORY_BYTES = 200_000_000

# Runs a module of Pex. To identify the interpreter, Pex would start it again with a copy of itself that has no
# bytecode. That takes as long as all the rest. It does not if its own process has identified the interpreter.
RUN_MODULE = """
import runpy
import sys

packages, module = sys.argv[1:3]
sys.argv[1:3] = []
sys.path.append(packages)
from pex.interpreter import PythonIdentity, PythonInterpreter

sys.path.remove(packages)
PythonInterpreter(PythonIdentity.get(binary=sys.executable))
sys.path.append(packages)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""

# Attributes of a module with one of these may be defined in a way that its source does not show.
DYNAMIC = ("__getattr__", "globals", "setattr", "exec", "import *", "vars")


def is_module(path, names):
    """Whether the files include the module with this path, such as `a/b`."""
    known = (path + ".py", path + ".pyc", path + "/__init__.py", path + "/__main__.py")
    return any(name in known or (name.startswith(path + ".") and name.endswith((".so", ".pyd"))) for name in names)


def wheel_files(directory):
    return sorted(glob.glob(os.path.join(directory, "*.whl")))


def wheel_names(wheels):
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                _, marker, rest = name.partition(".data/")
                yield rest.partition("/")[2] if marker else name


def script_names(wheels):
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if ".data/scripts/" in name:
                    yield name.partition(".data/scripts/")[2]
                elif name.endswith(".dist-info/entry_points.txt"):
                    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
                    parser.optionxform = str
                    parser.read_string(archive.read(name).decode())
                    for section in ("console_scripts", "gui_scripts"):
                        yield from parser.options(section) if parser.has_section(section) else []


def required_names(wheels):
    """The packages that the wheels require, apart from each other."""
    own = [normalized(os.path.basename(wheel).split("-")[0]) for wheel in wheels]
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
            text = archive.read(name).decode()
        for name in re.findall(r"^Requires-Dist:\s*([\w.-]+)", text.partition("\n\n")[0], re.MULTILINE):
            if normalized(name) not in own:
                yield name


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def source_names(sources):
    for directory, _, files in os.walk(sources):
        for name in files:
            yield os.path.relpath(os.path.join(directory, name), sources)


def is_of_interpreter(module):
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def defined_names(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]


def check_entry_point(written, sources, wheels):
    """Ends the program unless the entry point is defined by the sources, by a package or by the interpreter."""
    module, _, attribute = written.partition(":")
    path = module.replace(".", "/")
    if is_module(path, source_names(sources)):
        files = [os.path.join(sources, path + end) for end in (".py", "/__init__.py")]
        file = next(filter(os.path.exists, files), None)
        if attribute and file:
            check_attribute(written, attribute.partition(".")[0], file)
    elif not is_module(path, wheel_names(wheels)) and not is_of_interpreter(module):
        sys.exit(
            "the entry point `{}` does not exist: no source and no package of this target contains the module `{}`\n"
            "hint: correct the field, or add the target of the module to `dependencies`".format(written, module)
        )


def check_attribute(written, name, file):
    with open(file, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    try:
        names = set(defined_names(text))
    except (SyntaxError, ValueError):
        # The interpreter of the program may know more syntax.
        return
    if name not in names and not any(word in text for word in DYNAMIC):
        sys.exit(
            "the entry point `{}` does not exist: the module does not define `{}`\n"
            "hint: correct the field, or define the function".format(written, name)
        )


def check_script(name, wheels):
    names = sorted(set(script_names(wheels)))
    if name not in names:
        hint = "scripts of its packages: " + ", ".join(names) if names else "add the requirement to `dependencies`"
        sys.exit("the script `{}` does not exist: no package of this target installs it\nhint: {}".format(name, hint))


def run(spec, module, arguments):
    packages = os.path.dirname(os.path.dirname(importlib.util.find_spec("pex").origin))
    environment = dict(os.environ, PEX_ROOT=os.path.join(spec["scratch"], "pex"), TMPDIR=spec["scratch"])
    # The root contains no module that could shadow another.
    command = [spec["python"], "-s", "-B", "-c", RUN_MODULE, packages, module] + arguments
    code = subprocess.call(command, cwd="/", env=environment)
    if code:
        sys.exit(code)


def build(spec, arguments):
    if spec["flatten"] is None:
        run(spec, "pex", arguments + ["--output-file", spec["output"]])
        return
    program, flat = os.path.join(spec["scratch"], "function.pex"), os.path.join(spec["scratch"], "flat")
    run(spec, "pex", arguments + ["--output-file", program])
    run(spec, "pex.cli", ["venv", "create", "--pex-repository", program, "--dest-dir", flat] + spec["flatten"])
    made = flat + ".zip" if os.path.exists(flat + ".zip") else flat
    shutil.move(made, spec["output"])


def main(spec):
    distributions = wheel_files(spec["distributions"])
    wheels = wheel_files(spec["wheels"]) + distributions
    if spec["entry_point"]:
        check_entry_point(spec["entry_point"], spec["sources"], wheels)
    if spec["script"]:
        check_script(spec["script"], wheels)
    arguments = spec["pex"] + ["{}=={}".format(*os.path.basename(wheel).split("-")[:2]) for wheel in distributions]
    if spec["intransitive"]:
        # Otherwise Pex would miss them, now and when the program is started.
        arguments += ["--exclude=" + name for name in sorted(set(map(normalized, required_names(distributions))))]
    os.makedirs(os.path.dirname(spec["output"]), exist_ok=True)
    if sum(map(os.path.getsize, wheels)) <= IN_MEMORY_BYTES:
        build(dict(spec, scratch=os.environ["TMPDIR"]), arguments)
        return
    os.makedirs(spec["scratch"])
    try:
        build(spec, arguments)
    finally:
        shutil.rmtree(spec["scratch"])


main(json.loads(sys.argv[1]))
