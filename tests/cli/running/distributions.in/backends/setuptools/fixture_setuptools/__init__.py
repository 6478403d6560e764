"""A package that is built by setuptools."""

__version__ = "1.2"
