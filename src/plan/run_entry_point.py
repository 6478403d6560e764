"""Calls the function of an entry point, as a script that pip generates does. Arguments: the name of the program, the module,
the function, and the arguments of the program."""

import functools
import importlib
import sys

name, module, function = sys.argv[1:4]
sys.argv[:] = [name, *sys.argv[4:]]
sys.exit(functools.reduce(getattr, function.split("."), importlib.import_module(module))())
