"""A package that is built by scm."""

__version__ = "1.2"
