"""Compiles a wheel's sources to bytecode that does not depend on time, place or machine.

Arguments: the directory of the sources, the directory to write below, the directory where the sources will lie when
they are imported. One process compiles all files in sorted order, since what `marshal` writes depends on what was
compiled before. Files that do not compile (templates, code for other versions) are left out, as they are by installers.
"""

import os
import py_compile
import sys
import warnings


def main(source_root, out_root, installed_root):
    warnings.simplefilter("ignore")
    for directory, subdirectories, names in os.walk(source_root):
        subdirectories[:] = sorted(name for name in subdirectories if name != "__pycache__")
        package = os.path.relpath(directory, source_root)
        for name in sorted(name for name in names if name.endswith(".py")):
            compiled = "{}.{}.pyc".format(name[:-3], sys.implementation.cache_tag)
            try:
                py_compile.compile(
                    os.path.join(directory, name),
                    cfile=os.path.normpath(os.path.join(out_root, package, "__pycache__", compiled)),
                    dfile=os.path.normpath(os.path.join(installed_root, package, name)),
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
            except py_compile.PyCompileError:
                pass


main(*sys.argv[1:])
