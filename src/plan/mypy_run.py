"""Runs mypy with what an earlier run has worked out, where there is something, and prints its findings in one order.

The state is mypy's SQLite cache in pieces: `NAME.0` is a whole one, `NAME.1` and so on hold the rows that changed since.
Whatever is odd about it ends in a run without it.
"""

import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys

CACHE = "/tmp/mypy"
# Pieces are put together when there are so many, or when they are as large as what they change.
PIECES = 24


def main(settings):
    remembers = settings["remembers"] and importable("sqlite3")
    if remembers:
        date_by_content()
        restore(settings["found_at"])
    cache = [f"--cache-dir={CACHE}", "--sqlite-cache", "--skip-cache-mtime-checks"]
    argv = settings["argv"] + version(settings["python_version"]) + (cache if remembers else [f"--cache-dir={os.devnull}"]) + ["@" + settings["files"]]
    code, text = run(argv)
    # mypy hides errors after so many, and which ones depends on the order in which it meets them.
    hides = "(Skipping most remaining errors due to" in text
    if hides and remembers and os.path.isdir(settings["found_at"]):
        shutil.rmtree(CACHE, ignore_errors=True)
        code, text = run(argv)
    with open(settings["files"]) as file:
        entries = in_order(split(text), file.read().splitlines())
    sys.stdout.write("".join(entry["text"] for entry in entries))
    sys.stdout.flush()
    if remembers and code in (0, 1) and not hides:
        keep(settings["found_at"], settings["left_in"], {entry["path"] for entry in entries if import_of(entry)})
    return code


def version(wanted):
    """The code is checked for the oldest version that it is for, or the oldest that mypy still knows."""
    if wanted is None:
        return []
    try:
        from mypy.defaults import PYTHON3_VERSION_MIN as oldest
    except ImportError:
        return ["--python-version", wanted]
    if tuple(map(int, wanted.split("."))) < oldest:
        known = ".".join(map(str, oldest))
        print(f"mypy checks for Python {known}, since this version of it does not know {wanted}", file=sys.stderr)
        wanted = known
    return ["--python-version", wanted]


def importable(name):
    try:
        __import__(name)
        return True
    except ImportError:
        return False


def run(argv):
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    # Whoever interrupts this process interrupts that one too, and wants to see what it says then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    text = process.communicate()[0].decode("utf-8", "surrogateescape")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if process.returncode < 0:
        signal.signal(-process.returncode, signal.SIG_DFL)
        os.kill(os.getpid(), -process.returncode)
    return process.returncode, text


# The order of findings. mypy prints files as it comes to them, which depends on what it knows already.

FINDING = re.compile(r"(?P<path>[^\n]+?)(?P<place>(?::\d+)*): (?P<kind>error|warning|note): (?P<message>.*)")
SUMMARY = re.compile(r"Found \d+ error|Success: |Generated |Warning: ")
IMPORT = re.compile(
    r'(?:(Cannot find implementation or library stub for) module named|(Skipping analyzing)|(Library stubs not installed for))'
    r' "(?P<module>[^"]+)"|Import of "[^"]+" ignored|Ancestor package "[^"]+" ignored'
)
ONCE = re.compile(
    r'See https://mypy\.\S+#missing-imports|Hint: "python3 -m pip install (?P<stubs>[^"]+)"'
    r'|\(or run "mypy --install-types"|You may be running mypy in a subpackage|\(Using --follow-imports=error,'
)


def split(text):
    """Findings with the lines that belong to them; what belongs to none, such as the summary, has no path."""
    entries = []
    for line in text.splitlines(keepends=True):
        finding = FINDING.match(line)
        path = finding and finding["path"] or path_of_json(line)
        if path:
            entries.append({"path": path, "finding": finding, "message": finding and finding["message"], "text": line})
        elif entries and entries[-1]["path"] and not SUMMARY.match(line):
            entries[-1]["text"] += line
            # Long messages are wrapped, source lines are indented.
            if not line[:1].isspace():
                entries[-1]["message"] += " " + line.rstrip()
        else:
            entries.append({"path": None, "finding": None, "message": None, "text": line})
    return entries


def path_of_json(line):
    try:
        return json.loads(line)["file"] if line.startswith("{") else None
    except (ValueError, TypeError, KeyError):
        return None


def in_order(entries, files):
    """By file, those that were asked for first; the lines of one file as mypy has them."""
    rank = {path: number for number, path in enumerate(files)}
    key = lambda entry: (rank.get(entry["path"], len(rank)), entry["path"])
    found = sorted((entry for entry in entries if entry["path"]), key=key)
    return once_where_due(found) + [entry for entry in entries if not entry["path"]]


def once_where_due(entries):
    """mypy gives some advice only once, at the first import in trouble that it meets: here it is the first in order."""
    advice = [entry for entry in entries if entry["message"] and ONCE.match(entry["message"])]
    ordered = []
    for entry in [entry for entry in entries if entry not in advice]:
        ordered.append(entry)
        if import_of(entry):
            due = [one for one in advice if is_due(one, entry)]
            ordered.extend(moved(one, entry) for one in due)
            advice = [one for one in advice if one not in due]
    return ordered + advice


def import_of(entry):
    return entry["message"] and IMPORT.match(entry["message"])


def is_due(advice, entry):
    told, about = ONCE.match(advice["message"]), import_of(entry)
    if told["stubs"]:
        return bool(about[3]) and told["stubs"] == stubs_of(about["module"], told["stubs"])
    if told[0].startswith("(or run"):
        return bool(about[3])
    if told[0].startswith("(Using"):
        # There is one for imports and one for packages above.
        return about["module"] is None and ("submodule" in advice["text"]) == about[0].startswith("Ancestor")
    if told[0].startswith("You may"):
        return bool(about[1])
    return about["module"] is not None


def stubs_of(module, otherwise):
    try:
        from mypy.stubinfo import stub_distribution_name

        return stub_distribution_name(module)
    except Exception:
        return otherwise


def moved(advice, entry):
    finding, place = advice["finding"], entry["finding"]
    text = f"{place['path']}{place['place']}: {finding['kind']}: {advice['message']}"
    return {**advice, "path": place["path"], "text": text + "\n"}


# The state.


def date_by_content():
    """All inputs have one date, and mypy takes a file of the same date and size for the same file."""
    for directory, _, names in os.walk("."):
        os.utime(directory, (0, 0))
        for name in names:
            if name.endswith((".py", ".pyi")):
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    digest = hashlib.blake2b(file.read(), digest_size=6).digest()
                date = int.from_bytes(digest, "big")
                os.utime(path, (date, date))


def connect(path):
    import sqlite3

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def table_of(connection):
    """Where mypy keeps what it knows: older ones call it `files`."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'files%' ORDER BY name DESC")
    return tables.fetchone()[0]


def pieces(directory):
    """The pieces of each database, in their order."""
    found = {}
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        database, _, number = name.rpartition(".")
        found.setdefault(database, []).append(int(number))
    return {database: [f"{database}.{number}" for number in sorted(numbers)] for database, numbers in found.items()}


def place(database):
    return os.path.join(CACHE, database.replace("+", "/"))


def restore(directory):
    try:
        for database, names in pieces(directory).items():
            restore_one(place(database), [os.path.join(directory, name) for name in names])
    except Exception as error:
        print(f"mypy begins anew: its state could not be restored ({error})", file=sys.stderr)
        shutil.rmtree(CACHE, ignore_errors=True)


def restore_one(path, names):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(names[0], path)
    connection = connect(path)
    files = table_of(connection)
    for name in names[1:]:
        connection.execute("ATTACH ? AS piece", (name,))
        connection.execute(f"INSERT OR REPLACE INTO {files} SELECT path, mtime, data FROM piece.changed WHERE data IS NOT NULL")
        connection.execute(f"DELETE FROM {files} WHERE path IN (SELECT path FROM piece.changed WHERE data IS NULL)")
        connection.execute("DETACH piece")
    # mypy writes the rows; these tell us which.
    connection.executescript(
        f"""
        CREATE TABLE touched (path TEXT PRIMARY KEY);
        CREATE TRIGGER on_insert AFTER INSERT ON {files} BEGIN INSERT OR IGNORE INTO touched VALUES (new.path); END;
        CREATE TRIGGER on_delete AFTER DELETE ON {files} BEGIN INSERT OR IGNORE INTO touched VALUES (old.path); END;
        """
    )
    connection.close()


def keep(found_at, left_in, again):
    before = pieces(found_at)
    try:
        for path in glob.glob(os.path.join(CACHE, "**", "*.db"), recursive=True):
            database = os.path.relpath(path, CACHE).replace("/", "+")
            keep_one(path, [os.path.join(found_at, name) for name in before.get(database, [])], left_in, database, again)
    except Exception as error:
        print(f"mypy's state could not be kept ({error})", file=sys.stderr)
        shutil.rmtree(left_in, ignore_errors=True)
        os.makedirs(left_in, exist_ok=True)


def keep_one(path, before, left_in, database, again):
    connection = connect(path)
    files = table_of(connection)
    # Advice that is given once would be lost with the module that got it, so these are always checked again.
    for source in again:
        connection.executemany(f"DELETE FROM {files} WHERE path = ?", [(name,) for name in names_of_module(source)])
    if not before:
        return keep_whole(connection, path, left_in, database)
    number = int(before[-1].rpartition(".")[2]) + 1
    piece = os.path.join(left_in, f"{database}.{number}")
    connection.execute("ATTACH ? AS piece", (piece,))
    connection.execute("CREATE TABLE piece.changed (path TEXT, mtime REAL, data BLOB)")
    rows = f"SELECT path, mtime, data FROM touched LEFT JOIN {files} USING (path) ORDER BY path"
    changed = connection.execute(f"INSERT INTO piece.changed {rows}").rowcount
    connection.execute("DETACH piece")
    size = os.path.getsize(piece) + sum(map(os.path.getsize, before[1:]))
    if len(before) >= PIECES or size > os.path.getsize(before[0]):
        os.remove(piece)
        connection.executescript("DROP TRIGGER on_insert; DROP TRIGGER on_delete; DROP TABLE touched")
        return keep_whole(connection, path, left_in, database)
    if not changed:
        os.remove(piece)
    connection.close()
    for name in before:
        os.symlink(name, os.path.join(left_in, os.path.basename(name)))


def keep_whole(connection, path, left_in, database):
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    shutil.copyfile(path, os.path.join(left_in, f"{database}.0"))


def names_of_module(source):
    """What mypy may call its knowledge of a module: that depends on the import path."""
    parts = source.rpartition(".")[0].split("/")
    for start in range(len(parts)):
        for suffix in (".meta.json", ".meta.ff"):
            yield "/".join(parts[start:]) + suffix


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
