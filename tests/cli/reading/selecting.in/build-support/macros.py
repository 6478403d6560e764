SUFFIX = "_made"
def lib(name, **kwargs):
    python_sources(name=name + SUFFIX, **kwargs)
def both(name, **kw):
    """Sources and a binary."""
    lib(name, sources=["both*.py"], **kw)
    pex_binary(name=name, entry_point="both.py")
