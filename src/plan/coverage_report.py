"""Combines the coverage data of all tests and writes the requested reports.

It runs at the same paths as the tests, with the same sources in the current directory. The argument is JSON with
`config` (a settings file or null), `data` (the directory of the tests' data files), `unimported` (a file that lists
sources to count although no test imported them, or null), `unimported_in_namespaces` (the same for sources outside of
regular packages, which count only with `include_namespace_packages`), `out` (the output directory), `formats`, and
`fail_under` (a percentage or null). The exit code is 2 if coverage is below `fail_under`. Equal data give equal reports, so no report
contains the time at which it was written.
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


# coverage has no setting for the time that reports show, so the clock is replaced before coverage is imported.
datetime.datetime = Epoch
time.time = lambda: float(EPOCH)

import coverage
from coverage.results import should_fail_under

TOO_LOW = 2


def combine(directory, data_file):
    """Combines data files. `Coverage.combine` would merge `src/a.py` and `lib/src/a.py` if paths are relative."""
    whole = coverage.CoverageData(basename=data_file)
    with tempfile.TemporaryDirectory() as scratch:
        for name in sorted(os.listdir(directory)):
            copy = shutil.copyfile(os.path.join(directory, name), os.path.join(scratch, name))
            make_paths_relative(copy)
            part = coverage.CoverageData(basename=copy)
            part.read()
            whole.update(part)
    whole.write()


def make_paths_relative(data_file):
    """Every version of coverage that stores SQLite files has this table."""
    root = os.getcwd() + "/"
    connection = sqlite3.connect(data_file)
    with connection:
        change = "update file set path = substr(path, ?) where substr(path, 1, ?) = ?"
        connection.execute(change, (len(root) + 1, len(root), root))
    connection.close()


def includes_namespaces(measured):
    try:
        return bool(measured.get_option("report:include_namespace_packages"))
    except coverage.CoverageException:
        # coverage 7.0 added the setting.
        return False


def add_unimported(measured, paths):
    names = []
    for path in paths:
        with open(path, encoding="utf-8") as stream:
            names += stream.read().splitlines()
    data = measured.get_data()
    new = [name for name in names if name not in data.measured_files()]
    if new and not data.has_arcs():
        # coverage does not accept files into data that has no lines.
        data.add_lines({new[0]: []})
    for name in new:
        data.touch_file(name)
    # Sources that are omitted from measurement must not be counted either.
    omitted = list(measured.get_option("run:omit") or []) + list(measured.get_option("report:omit") or [])
    measured.set_option("report:omit", omitted)


def write(measured, formats, out):
    if "xml" in formats:
        path = os.path.join(out, "coverage.xml")
        measured.xml_report(outfile=path, ignore_errors=True)
        make_source_paths_relative(path)
    if "html" in formats:
        measured.html_report(directory=os.path.join(out, "htmlcov"), ignore_errors=True)
    if "json" in formats:
        measured.json_report(outfile=os.path.join(out, "coverage.json"), ignore_errors=True)
    if "lcov" in formats:
        if not hasattr(measured, "lcov_report"):
            sys.exit("coverage {} cannot write lcov reports: version 6.3 or later is required".format(coverage.__version__))
        measured.lcov_report(outfile=os.path.join(out, "coverage.lcov"), ignore_errors=True)


def make_source_paths_relative(path):
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    root = re.escape(os.getcwd())
    text = re.sub("<source>{}(/|(?=<))".format(root), "<source>", text).replace("<source></source>", "<source>.</source>")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def main():
    settings = json.loads(sys.argv[1])
    formats, out = settings["formats"], settings["out"]
    # A random path would change the state of the HTML report, which contains a hash of all settings.
    raw = os.path.join(out if "raw" in formats else tempfile.gettempdir(), ".coverage")
    combine(settings["data"], raw)
    measured = coverage.Coverage(data_file=raw, config_file=settings["config"] or True)
    measured.set_option("run:relative_files", True)
    measured.load()
    if settings["unimported"]:
        lists = [settings["unimported"]]
        if includes_namespaces(measured):
            lists.append(settings["unimported_in_namespaces"])
        add_unimported(measured, lists)
    measured.save()
    with open(os.devnull, "w") as devnull:
        total = measured.report(file=sys.stdout if "console" in formats else devnull, ignore_errors=True)
    write(measured, formats, out)
    if "raw" in formats:
        from waders_test_results import rewrite

        rewrite(raw)
    required = settings["fail_under"]
    if required is None:
        required = measured.get_option("report:fail_under")
    precision = measured.get_option("report:precision") or 0
    if should_fail_under(total, required or 0, precision):
        message = "coverage is {:.{digits}f} %, below the required {:g} %"
        print(message.format(total, required, digits=max(precision, 2)), file=sys.stderr)
        return TOO_LOW
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except coverage.CoverageException as error:
        sys.exit("coverage: {}".format(error))
