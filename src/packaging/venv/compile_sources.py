"""Compiles a wheel's sources to bytecode that does not depend on time, place or machine.

Arguments: the directory of the sources, the directory to write below, the directory where the sources will lie when
they are imported. One process compiles all files in sorted order, since what `marshal` writes depends on what was
compiled before. Files that do not compile (templates, code for other versions) are left out, as they are by installers.
"""

import marshal
import os
import py_compile
import sys
import types
import warnings

# From 3.11 on, `marshal` sorts sets itself.
WRITES_SETS_UNSORTED = (3, 8) <= sys.version_info < (3, 11)
HEADER_BYTES = 16
NUMBERS = "argcount posonlyargcount kwonlyargcount nlocals stacksize flags"
OBJECTS = "code consts names varnames freevars cellvars filename name"


def main(source_root, out_root, installed_root):
    warnings.simplefilter("ignore")
    for directory, subdirectories, names in os.walk(source_root):
        subdirectories[:] = sorted(name for name in subdirectories if name != "__pycache__")
        package = os.path.relpath(directory, source_root)
        for name in sorted(name for name in names if name.endswith(".py")):
            compiled = "{}.{}.pyc".format(name[:-3], sys.implementation.cache_tag)
            path = os.path.normpath(os.path.join(out_root, package, "__pycache__", compiled))
            try:
                py_compile.compile(
                    os.path.join(directory, name),
                    cfile=path,
                    dfile=os.path.normpath(os.path.join(installed_root, package, name)),
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
            except py_compile.PyCompileError:
                continue
            if WRITES_SETS_UNSORTED:
                sort_sets(path)


def sort_sets(path):
    """Writes bytecode again if the order of a set in it depends on the address of None, which is not the same on all file systems."""
    with open(path, "rb") as stream:
        data = stream.read()
    code = marshal.loads(data[HEADER_BYTES:])
    if has_set_of_addresses(code):
        with open(path, "wb") as stream:
            stream.write(data[:HEADER_BYTES] + dumps(code))


def has_set_of_addresses(value, in_set=False):
    if isinstance(value, types.CodeType):
        return any(map(has_set_of_addresses, value.co_consts))
    if isinstance(value, (tuple, frozenset)):
        in_set = in_set or isinstance(value, frozenset)
        return any(has_set_of_addresses(item, in_set) for item in value)
    return in_set and (value is None or value is ...)


def dumps(value):
    """What `marshal.dumps` writes, without references, and with sorted sets."""
    if isinstance(value, types.CodeType):
        line_table = "linetable" if sys.version_info >= (3, 10) else "lnotab"
        fields = [number(getattr(value, "co_" + name)) for name in NUMBERS.split()]
        fields += [dumps(getattr(value, "co_" + name)) for name in OBJECTS.split()]
        fields += [number(value.co_firstlineno), dumps(getattr(value, "co_" + line_table))]
        return b"c" + b"".join(fields)
    if isinstance(value, tuple):
        return b"(" + number(len(value)) + b"".join(map(dumps, value))
    if isinstance(value, frozenset):
        return b">" + number(len(value)) + b"".join(sorted(map(dumps, value)))
    # Version 2 of the format has no references.
    return marshal.dumps(value, 2)


def number(value):
    return value.to_bytes(4, "little")


main(*sys.argv[1:])
