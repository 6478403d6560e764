import sys

print(f"COLOURS: list[str] = {sys.argv[1:]}")
