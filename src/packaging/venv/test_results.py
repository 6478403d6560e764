"""A pytest plugin that makes equal runs write equal files. PYTEST_DONT_REWRITE

With pytest-xdist, the JUnit report lists tests in the order of their collection, as it does without, and not in the order in which
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
        self.tests += [report.nodeid] * (len(self.entries()) - len(self.tests))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self):
        entries = self.entries()
        self.tests += [None] * (len(entries) - len(self.tests))
        last = len(self.collected)
        places = [self.collected.get(test, last) for test in self.tests]
        entries[:] = [entries[at] for at in sorted(range(len(entries)), key=places.__getitem__)]

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self):
        if DATA_FILE and os.path.isfile(DATA_FILE):
            rewrite(DATA_FILE)


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
