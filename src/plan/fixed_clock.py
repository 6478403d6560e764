"""Runs a Python program with a fixed `datetime.now`, so that its output does not contain the time of the run.

The arguments are the path of the program and the program's own arguments.
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
