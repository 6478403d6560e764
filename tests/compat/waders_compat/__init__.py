"""Comparison of the output of Waders with that of Pants."""
