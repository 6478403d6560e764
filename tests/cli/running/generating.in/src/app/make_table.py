import sys

source, output = sys.argv[1:]
names = open(source).read().split()
with open(output, "w") as file:
    file.write(f"NAMES = {names}\n")
print(f"{len(names)} names")
