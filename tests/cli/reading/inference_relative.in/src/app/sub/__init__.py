from .. import top
from .deep import *
