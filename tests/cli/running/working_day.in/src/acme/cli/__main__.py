import sys

from acme.common.text import greeting

print(greeting(*sys.argv[1:]))
