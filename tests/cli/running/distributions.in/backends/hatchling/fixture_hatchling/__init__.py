"""A package that is built by hatchling."""

__version__ = "1.2"
