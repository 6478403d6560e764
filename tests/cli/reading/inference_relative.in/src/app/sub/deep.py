from ..top import name
from .sibling import Class
from .... import nowhere
import app.sub.deep
