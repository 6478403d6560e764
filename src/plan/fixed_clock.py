"""Runs a Python program whose `datetime.now` is always the date of all inputs, so that what it tells of the same files is the same.

The arguments are the program and its words.
"""

import datetime
import os
import runpy
import sys

DATE = int(os.environ["SOURCE_DATE_EPOCH"])


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(DATE, tz)

    @classmethod
    def utcnow(cls):
        return cls.fromtimestamp(DATE, datetime.timezone.utc).replace(tzinfo=None)


datetime.datetime = Fixed
del sys.argv[0]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
