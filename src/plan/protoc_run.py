# Runs the compiler of protocol buffers on files below the current directory. Arguments: the directory for the generated files, which is
# created; the arguments of the compiler.
import os
import sys

import grpc_tools
from grpc_tools import _protoc_compiler

output, *args = sys.argv[1:]
os.makedirs(output, exist_ok=True)
well_known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
words = ["protoc", "-I.", "-I" + well_known, *args]
sys.exit(_protoc_compiler.run_main([word.encode() for word in words]))
