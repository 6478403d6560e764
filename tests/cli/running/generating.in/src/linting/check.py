import sys

settings = open(sys.argv[1].partition("=")[2]).read().strip()
found = [file for file in sys.argv[2:] if "\t" in open(file).read()]
for file in found:
    print(f"{file}: {settings}")
sys.exit(bool(found))
