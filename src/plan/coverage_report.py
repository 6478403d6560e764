"""Combines what tests measured and writes the reports that were asked for.

Run where the tests ran, with the same sources in the current directory. Argument: JSON with `config` (a settings file
or null), `data` (the directory of the tests' data files), `also` (a file that lists sources to count though no test
imported them, or null), `out`, `formats` and `fail_under` (a percentage or null). Ends with 2 where coverage is below
that. Equal measurements give equal bytes: no report holds the time at which it was made.
"""

import datetime
import json
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import time

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])


class Epoch(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(EPOCH, tz)


# Before coverage is imported: it has no setting for the time that reports show.
datetime.datetime = Epoch
time.time = lambda: float(EPOCH)

import coverage
from coverage.results import should_fail_under

TOO_LOW = 2


def combine(directory, data_file):
    """Not by `Coverage.combine`: of two files `src/a.py` and `lib/src/a.py` it makes one when paths are relative."""
    whole = coverage.CoverageData(basename=data_file)
    with tempfile.TemporaryDirectory() as scratch:
        for name in sorted(os.listdir(directory)):
            copy = shutil.copyfile(os.path.join(directory, name), os.path.join(scratch, name))
            from_build_root(copy)
            part = coverage.CoverageData(basename=copy)
            part.read()
            whole.update(part)
    whole.write()


def from_build_root(data_file):
    """Data files are SQLite, and this table is as old as that."""
    root = os.getcwd() + "/"
    connection = sqlite3.connect(data_file)
    with connection:
        change = "update file set path = substr(path, ?) where substr(path, 1, ?) = ?"
        connection.execute(change, (len(root) + 1, len(root), root))
    connection.close()


def count_also(measured, path):
    with open(path, encoding="utf-8") as stream:
        names = stream.read().splitlines()
    data = measured.get_data()
    new = [name for name in names if name not in data.measured_files()]
    if new and not data.has_arcs():
        # Data without any lines takes no files.
        data.add_lines({new[0]: []})
    for name in new:
        data.touch_file(name)
    # What is not to be measured is not to be counted either.
    omitted = list(measured.get_option("run:omit") or []) + list(measured.get_option("report:omit") or [])
    measured.set_option("report:omit", omitted)


def write(measured, formats, out):
    if "xml" in formats:
        path = os.path.join(out, "coverage.xml")
        measured.xml_report(outfile=path, ignore_errors=True)
        name_sources_from_build_root(path)
    if "html" in formats:
        measured.html_report(directory=os.path.join(out, "htmlcov"), ignore_errors=True)
    if "json" in formats:
        measured.json_report(outfile=os.path.join(out, "coverage.json"), ignore_errors=True)
    if "lcov" in formats:
        if not hasattr(measured, "lcov_report"):
            sys.exit("coverage {} cannot write lcov: that came with 6.3".format(coverage.__version__))
        measured.lcov_report(outfile=os.path.join(out, "coverage.lcov"), ignore_errors=True)


def name_sources_from_build_root(path):
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    root = re.escape(os.getcwd())
    text = re.sub("<source>{}(/|(?=<))".format(root), "<source>", text).replace("<source></source>", "<source>.</source>")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def main():
    settings = json.loads(sys.argv[1])
    formats, out = settings["formats"], settings["out"]
    raw = os.path.join(out, ".coverage") if "raw" in formats else os.path.join(tempfile.mkdtemp(), ".coverage")
    combine(settings["data"], raw)
    measured = coverage.Coverage(data_file=raw, config_file=settings["config"] or True)
    measured.set_option("run:relative_files", True)
    measured.load()
    if settings["also"]:
        count_also(measured, settings["also"])
    measured.save()
    with open(os.devnull, "w") as nowhere:
        total = measured.report(file=sys.stdout if "console" in formats else nowhere, ignore_errors=True)
    write(measured, formats, out)
    least = settings["fail_under"]
    if least is None:
        least = measured.get_option("report:fail_under")
    precision = measured.get_option("report:precision") or 0
    if should_fail_under(total, least or 0, precision):
        print("coverage is {:.{digits}f} %, below {:g} %".format(total, least, digits=max(precision, 2)), file=sys.stderr)
        return TOO_LOW
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except coverage.CoverageException as error:
        sys.exit("coverage: {}".format(error))
