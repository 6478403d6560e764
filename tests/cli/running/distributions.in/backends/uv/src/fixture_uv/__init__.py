"""A package that is built by uv."""

__version__ = "1.2"
