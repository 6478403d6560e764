# Above every source root.
