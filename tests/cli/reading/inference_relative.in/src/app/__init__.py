from .sub import deep
from . import top
