# What is checked differs from run to run.
