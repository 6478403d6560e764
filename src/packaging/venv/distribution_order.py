"""Makes `importlib.metadata` find the packages of a directory in the order of their names, rather than in the order in which the
file system lists them, which differs between machines: plugins of pytest, for example, are loaded in this order. The
directories of the import path keep their order. Runs at the start of every Python of a venv image; nothing is imported."""

import sys

def in_order(find):
    def find_distributions(*args, **kwargs):
        places = {}
        key = lambda found: (places.setdefault(str(found._path.parent), len(places)), str(found._path))
        return iter(sorted(find(*args, **kwargs), key=key))
    return find_distributions
for finder in sys.meta_path:
    if getattr(finder, '__name__', '') == 'PathFinder' and hasattr(finder, 'find_distributions'):
        finder.find_distributions = in_order(finder.find_distributions)
