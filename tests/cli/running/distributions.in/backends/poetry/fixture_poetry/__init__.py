"""A package that is built by poetry."""

__version__ = "1.2"
