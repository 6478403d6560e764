"""A pytest plugin that makes equal runs write equal files and completes the JUnit report. PYTEST_DONT_REWRITE

Each test of the report has its file and its line, counted from 1, whatever its format. With pytest-xdist, the JUnit report lists tests in the order of their collection, as it does without, and not in the order in which
the workers reported them. The SQLite files of coverage are written again: the numbers of files and contexts, the order of rows and
the unused bytes of such a file depend on the history of the process. What coverage reads from the file stays the same.
"""

import os

import pytest

DATA_FILE = os.environ.get("COVERAGE_FILE")


def pytest_configure(config):
    # The workers of pytest-xdist write neither of the files.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(config))


class Results:
    def __init__(self, config):
        self.config = config
        self.collected = {}
        # The test of each entry of the report, or None.
        self.tests = []
        # The file and the line of each test.
        self.places = {}
        self.build_root = os.getcwd()

    def entries(self):
        """The entries of the JUnit report so far: a list that every version of pytest has."""
        lists = (getattr(plugin, "node_reporters_ordered", None) for plugin in self.config.pluginmanager.get_plugins())
        return next(filter(None, lists), [])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        for test in ids:
            self.collected.setdefault(test, len(self.collected))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        self.note_entries(report)

    @pytest.hookimpl(trylast=True)
    def pytest_collectreport(self, report):
        self.note_entries(report)

    def note_entries(self, report):
        added = len(self.entries()) - len(self.tests)
        if added:
            self.tests += [report.nodeid] * added
            self.places[report.nodeid] = self.place(report)

    def place(self, report):
        """The file of a test, relative to the build root, and its line, unless an inherited test is in another file."""
        own = report.nodeid.split("::")[0]
        root = str(getattr(self.config, "rootpath", None) or self.config.rootdir)
        file = os.path.relpath(os.path.join(root, own), self.build_root).replace(os.sep, "/")
        defined_in, line = (tuple(report.location) + (None, None))[:2]
        is_own = str(defined_in).replace(os.sep, "/") == own
        return file, line + 1 if is_own and isinstance(line, int) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self):
        entries = self.entries()
        self.tests += [None] * (len(entries) - len(self.tests))
        for test, entry in zip(self.tests, entries):
            if test in self.places:
                set_place(entry, *self.places[test])
        last = len(self.collected)
        places = [self.collected.get(test, last) for test in self.tests]
        entries[:] = [entries[at] for at in sorted(range(len(entries)), key=places.__getitem__)]

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self):
        if DATA_FILE and os.path.isfile(DATA_FILE):
            rewrite(DATA_FILE)


def set_place(entry, file, line):
    """Adds the place of a test to its entry. The default format of the report leaves it out, and another one counts from 0."""
    element = entry.to_xml()
    # Old versions of pytest have no elements of the standard library here.
    if hasattr(element, "set"):
        element.set("file", file)
        if line is not None:
            element.set("line", str(line))
        entry.to_xml = lambda: element


def rewrite(path):
    """Writes a data file of coverage again. Another file, such as one of coverage before version 5, is left as it is."""
    import sqlite3

    copy = path + ".rewritten"
    old, new = sqlite3.connect(path), sqlite3.connect(copy)
    try:
        copy_rows(old, new)
        new.execute("vacuum")
    except (sqlite3.Error, ValueError):
        os.remove(copy)
    else:
        os.replace(copy, path)
    finally:
        old.close()
        new.close()


def copy_rows(old, new):
    new.execute("pragma secure_delete = on")
    numbers = {"file_id": numbers_of(old, "path", "file"), "context_id": numbers_of(old, "context", "context")}
    own = {"file": numbers["file_id"], "context": numbers["context_id"]}
    tables = "select name, sql from sqlite_master where type = 'table' order by name"
    for table, definition in old.execute(tables).fetchall():
        new.execute(definition)
        found = old.execute('select * from "{}"'.format(table))
        columns = [column[0] for column in found.description]
        changes = [own.get(table) if column == "id" else numbers.get(column) for column in columns]
        rows = [[change[value] if change else value for change, value in zip(changes, row)] for row in found]
        if table == "meta":
            # Old versions of coverage write the time.
            rows = [row for row in rows if row[0] != "when"]
        rows.sort(key=lambda row: [(value is not None, str(type(value)), value) for value in row])
        places = ", ".join("?" * len(columns))
        new.executemany('insert into "{}" values ({})'.format(table, places), rows)
    new.commit()


def numbers_of(database, column, table):
    rows = sorted(database.execute("select {}, id from {}".format(column, table)))
    return {number: place + 1 for place, (_, number) in enumerate(rows)}
