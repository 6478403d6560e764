"""A package that is built by flit."""

__version__ = "1.2"
