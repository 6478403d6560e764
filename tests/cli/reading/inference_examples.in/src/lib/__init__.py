# Not empty.
