"""Side-by-side benchmarks of Waders against its peers: measure in pairs, tell ratios."""
