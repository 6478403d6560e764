import sys

print("other", sys.argv[1:])
