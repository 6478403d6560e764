"""A package that is built by pdm."""

__version__ = "1.2"
