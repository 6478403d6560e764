import json
import _socket
import nosuch
import nosuch.deeper
import generated.schema.v1
from . import missing
from .... import far
try:
    import perhaps
except (ValueError, ImportError):
    import instead
with contextlib.suppress(ImportError):
    import optional
try:
    import strict
except ModuleNotFoundError:
    pass
