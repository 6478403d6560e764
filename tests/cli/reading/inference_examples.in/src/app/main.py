import os, yaml
from lib import util
import requests.x.y
try:
    import numpy
    from lib import weakmod
except ImportError:
    pass
import nosuch
importlib.import_module("lib.dyn")
__import__("lib.dyn2")
if TYPE_CHECKING:
    from lib.tc import A
import yaml as y2  # pants: no-infer-dep


def go():
    pass
