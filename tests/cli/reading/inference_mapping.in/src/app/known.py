import bs4
import dateutil.parser
from google.cloud import storage
import zope.event.classhandler
from typing_extensions import Self
