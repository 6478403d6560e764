"""Side-by-side benchmarks of Waders and other tools: both are measured in pairs and compared by their ratio."""
