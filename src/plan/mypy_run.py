"""Runs mypy with the incremental state of an earlier run, if there is one, and prints its findings in a fixed order.

The argument is JSON with `argv` (mypy and its options), `files` (a file that lists the files to check), `python_version`
(a version or null), `incremental` (whether to use a state), `state_at` (the directory of the earlier state) and
`state_out` (the directory for the new state).

The state is mypy's SQLite cache, split into files: `NAME.0` is a snapshot of a database, and `NAME.1`, `NAME.2` and so on
are deltas, which contain the rows that changed since the previous file. If a state cannot be used, mypy runs without it.
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

CACHE = os.path.join(os.environ["TMPDIR"], "mypy")
# A new snapshot is written when a database has this many files, or when its deltas are larger than its snapshot.
MAX_FILES = 24


def main(settings):
    incremental = settings["incremental"] and is_importable("sqlite3")
    if incremental:
        set_mtimes_from_contents()
        restore(settings["state_at"])
    cache = [f"--cache-dir={CACHE}", "--sqlite-cache", "--skip-cache-mtime-checks"]
    argv = settings["argv"] + version_args(settings["python_version"])
    argv += (cache if incremental else [f"--cache-dir={os.devnull}"]) + ["@" + settings["files"]]
    code, text = run(argv)
    # mypy omits errors above a limit, and which ones depends on the order in which it processes modules.
    is_truncated = "(Skipping most remaining errors due to" in text
    if is_truncated and incremental and os.path.isdir(settings["state_at"]):
        shutil.rmtree(CACHE, ignore_errors=True)
        code, text = run(argv)
    with open(settings["files"]) as file:
        entries = sort_entries(parse_output(text), file.read().splitlines())
    sys.stdout.write("".join(entry["text"] for entry in entries))
    sys.stdout.flush()
    if incremental and code in (0, 1) and not is_truncated:
        with_import_errors = {entry["path"] for entry in entries if match_import(entry)}
        save(settings["state_at"], settings["state_out"], with_import_errors)
    return code


def version_args(version):
    """The option for the Python version: `version`, or the oldest version that mypy supports if that is newer."""
    if version is None:
        return []
    try:
        from mypy.defaults import PYTHON3_VERSION_MIN as oldest
    except ImportError:
        return ["--python-version", version]
    if tuple(map(int, version.split("."))) < oldest:
        supported = ".".join(map(str, oldest))
        print(f"mypy checks for Python {supported}, because it does not support {version}", file=sys.stderr)
        version = supported
    return ["--python-version", version]


def is_importable(name):
    try:
        __import__(name)
        return True
    except ImportError:
        return False


def run(argv):
    """Runs mypy. Returns its exit code and standard output, and ends by the same signal if mypy ended by one."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    # SIGINT is sent to both processes. This one ignores it, so that the output of mypy after the signal is still printed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    text = process.communicate()[0].decode("utf-8", "surrogateescape")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if process.returncode < 0:
        signal.signal(-process.returncode, signal.SIG_DFL)
        os.kill(os.getpid(), -process.returncode)
    return process.returncode, text


# The order of findings. mypy prints files in the order in which it processes them, which depends on its cache.

FINDING = re.compile(r"(?P<path>[^\n]+?)(?P<place>(?::\d+)*): (?P<kind>error|warning|note): (?P<message>.*)")
SUMMARY = re.compile(r"Found \d+ error|Success: |Generated |Warning: ")
IMPORT = re.compile(
    r'(?:(Cannot find implementation or library stub for) module named|(Skipping analyzing)|(Library stubs not installed for))'
    r' "(?P<module>[^"]+)"|Import of "[^"]+" ignored|Ancestor package "[^"]+" ignored'
)
ADVICE = re.compile(
    r'See https://mypy\.\S+#missing-imports|Hint: "python3 -m pip install (?P<stubs>[^"]+)"'
    r'|\(or run "mypy --install-types"|You may be running mypy in a subpackage|\(Using --follow-imports=error,'
)


def parse_output(text):
    """Splits the output into findings with their continuation lines. Other lines, such as the summary, have no path."""
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


def sort_entries(entries, files):
    """Sorts findings by file, the requested files first. Findings in the same file stay in mypy's order."""
    rank = {path: number for number, path in enumerate(files)}
    key = lambda entry: (rank.get(entry["path"], len(rank)), entry["path"])
    found = sorted((entry for entry in entries if entry["path"]), key=key)
    return place_advice(found) + [entry for entry in entries if not entry["path"]]


def place_advice(entries):
    """Moves advice that mypy prints only once to the first import error in sorted order to which it applies.

    mypy prints it after the first such error that it reports.
    """
    advice = [entry for entry in entries if entry["message"] and ADVICE.match(entry["message"])]
    ordered = []
    for entry in [entry for entry in entries if entry not in advice]:
        ordered.append(entry)
        if match_import(entry):
            applicable = [one for one in advice if applies_to(one, entry)]
            ordered.extend(move(one, entry) for one in applicable)
            advice = [one for one in advice if one not in applicable]
    return ordered + advice


def match_import(entry):
    return entry["message"] and IMPORT.match(entry["message"])


def applies_to(advice, entry):
    """Whether mypy could have printed the advice after this import error."""
    hint, error = ADVICE.match(advice["message"]), match_import(entry)
    if hint["stubs"]:
        return bool(error[3]) and hint["stubs"] == stubs_for(error["module"], hint["stubs"])
    if hint[0].startswith("(or run"):
        return bool(error[3])
    if hint[0].startswith("(Using"):
        # mypy has one such line for imports and another for ancestor packages.
        return error["module"] is None and ("submodule" in advice["text"]) == error[0].startswith("Ancestor")
    if hint[0].startswith("You may"):
        return bool(error[1])
    return error["module"] is not None


def stubs_for(module, default):
    try:
        from mypy.stubinfo import stub_distribution_name

        return stub_distribution_name(module)
    except Exception:
        return default


def move(advice, entry):
    """The advice at the location of another finding."""
    finding, place = advice["finding"], entry["finding"]
    text = f"{place['path']}{place['place']}: {finding['kind']}: {advice['message']}"
    return {**advice, "path": place["path"], "text": text + "\n"}


# The incremental state.


def set_mtimes_from_contents():
    """Gives each source a modification time that depends on its contents.

    All inputs have the same time, and mypy considers a file with the same time and size unchanged.
    """
    for directory, _, names in os.walk("."):
        os.utime(directory, (0, 0))
        for name in names:
            if name.endswith((".py", ".pyi")):
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    digest = hashlib.blake2b(file.read(), digest_size=6).digest()
                mtime = int.from_bytes(digest, "big")
                os.utime(path, (mtime, mtime))


def connect(path):
    import sqlite3

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def find_table(connection):
    """The name of mypy's table, which is `files` in older versions."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'files%' ORDER BY name DESC")
    return tables.fetchone()[0]


def list_files(directory):
    """The names of the snapshot and the deltas of each database, in order."""
    found = {}
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        database, _, number = name.rpartition(".")
        found.setdefault(database, []).append(int(number))
    return {database: [f"{database}.{number}" for number in sorted(numbers)] for database, numbers in found.items()}


def cache_path(database):
    return os.path.join(CACHE, database.replace("+", "/"))


def restore(directory):
    """Rebuilds mypy's cache from a state."""
    try:
        for database, names in list_files(directory).items():
            restore_one(cache_path(database), [os.path.join(directory, name) for name in names])
    except Exception as error:
        print(f"mypy runs without its incremental state, which could not be restored: {error}", file=sys.stderr)
        shutil.rmtree(CACHE, ignore_errors=True)


def restore_one(path, names):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(names[0], path)
    connection = connect(path)
    files = find_table(connection)
    for name in names[1:]:
        connection.execute("ATTACH ? AS delta", (name,))
        connection.execute(f"INSERT OR REPLACE INTO {files} SELECT path, mtime, data FROM delta.changed WHERE data IS NOT NULL")
        connection.execute(f"DELETE FROM {files} WHERE path IN (SELECT path FROM delta.changed WHERE data IS NULL)")
        connection.execute("DETACH delta")
    # The triggers record which rows mypy changes.
    connection.executescript(
        f"""
        CREATE TABLE touched (path TEXT PRIMARY KEY);
        CREATE TRIGGER on_insert AFTER INSERT ON {files} BEGIN INSERT OR IGNORE INTO touched VALUES (new.path); END;
        CREATE TRIGGER on_delete AFTER DELETE ON {files} BEGIN INSERT OR IGNORE INTO touched VALUES (old.path); END;
        """
    )
    connection.close()


def save(state_at, state_out, with_import_errors):
    """Writes the state: a snapshot, or links to the earlier files and a delta."""
    before = list_files(state_at)
    try:
        for path in glob.glob(os.path.join(CACHE, "**", "*.db"), recursive=True):
            database = os.path.relpath(path, CACHE).replace("/", "+")
            files = [os.path.join(state_at, name) for name in before.get(database, [])]
            save_one(path, files, state_out, database, with_import_errors)
    except Exception as error:
        print(f"the incremental state of mypy could not be saved: {error}", file=sys.stderr)
        shutil.rmtree(state_out, ignore_errors=True)
        os.makedirs(state_out, exist_ok=True)


def save_one(path, before, state_out, database, with_import_errors):
    connection = connect(path)
    files = find_table(connection)
    # mypy prints some advice only once, and not for modules in the cache. Modules with import errors are therefore removed
    # from the cache, so that every run checks them and prints the advice.
    for source in with_import_errors:
        connection.executemany(f"DELETE FROM {files} WHERE path = ?", [(name,) for name in cache_names(source)])
    if not before:
        return save_snapshot(connection, path, state_out, database)
    number = int(before[-1].rpartition(".")[2]) + 1
    delta = os.path.join(state_out, f"{database}.{number}")
    connection.execute("ATTACH ? AS delta", (delta,))
    connection.execute("CREATE TABLE delta.changed (path TEXT, mtime REAL, data BLOB)")
    rows = f"SELECT path, mtime, data FROM touched LEFT JOIN {files} USING (path) ORDER BY path"
    changed = connection.execute(f"INSERT INTO delta.changed {rows}").rowcount
    connection.execute("DETACH delta")
    size = os.path.getsize(delta) + sum(map(os.path.getsize, before[1:]))
    if len(before) >= MAX_FILES or size > os.path.getsize(before[0]):
        os.remove(delta)
        connection.executescript("DROP TRIGGER on_insert; DROP TRIGGER on_delete; DROP TABLE touched")
        return save_snapshot(connection, path, state_out, database)
    if not changed:
        os.remove(delta)
    connection.close()
    # A link into the earlier state takes over that file.
    for name in before:
        os.symlink(name, os.path.join(state_out, os.path.basename(name)))


def save_snapshot(connection, path, state_out, database):
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    shutil.copyfile(path, os.path.join(state_out, f"{database}.0"))


def cache_names(source):
    """The possible names of a module's metadata in mypy's cache. They depend on the import path."""
    parts = source.rpartition(".")[0].split("/")
    for start in range(len(parts)):
        for suffix in (".meta.json", ".meta.ff"):
            yield "/".join(parts[start:]) + suffix


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
