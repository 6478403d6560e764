"""Compiles every module below a directory, so that steps need not do it again and again.

Runs in a sandbox as `python -c … SOURCE LIES_AT`: SOURCE is what to compile, LIES_AT is where it will lie, which is what
tracebacks show. The results go below /out at the same relative places. Files are checked by hash and never against the
source again, which no step can change; so they hold no time.
"""

import importlib.util
import os
import py_compile
import sys


def modules(source):
    for directory, directories, files in os.walk(source):
        directories.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(directory, name), source)


def main(source, lies_at):
    for module in modules(source):
        try:
            py_compile.compile(
                os.path.join(source, module),
                cfile=importlib.util.cache_from_source(os.path.join("/out", module)),
                dfile=os.path.join(lies_at, module),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, UnicodeError, ValueError, RecursionError):
            # Templates, fixtures and modules for other Pythons: importing them fails as it would anyway.
            continue


main(*sys.argv[1:])
