"""Evaluates BUILD files with Python code that Waders does not evaluate itself.

Runs in a sandbox whose current directory contains the declared files of the repository. The first argument is the path of
the request, the second that of the response. Both are JSON; `interpret.rs` describes them.
"""

import ast
import builtins
import functools
import io
import json
import pathlib
import re
import sys
import typing

GROUP = "**parametrize#"
NO_IMPORT = "BUILD files and preludes cannot import"


class BuildFileError(Exception):
    """An error in a BUILD file, reported without the name of an exception type."""


class MissingFile(BaseException):
    """A BUILD file opens a file that the sandbox does not contain: the request must be repeated with it."""


class Kind:
    """A known or unknown target type. Calling it declares a target."""

    def __init__(self, name, known, file):
        self.name, self.known, self.file = name, known, file

    def __call__(self, *positional, **named):
        if positional and self.known:
            raise BuildFileError("`%s` takes named arguments only" % self.name)
        made = Object(self.name, positional, named)
        if not positional:
            self.file.declare(self, made)
        return made

    def __str__(self):
        return self.name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Field()


class Field:
    """A field of a target type, as in `python_sources.tags.default`."""

    default = None


@functools.total_ordering
class Version:
    """The release of Pants that the repository is for. It compares with strings by the order of versions (PEP 440)."""

    STAGES = {"dev": -4, "a": -3, "b": -2, "rc": -1}

    def __init__(self, text):
        self.text = str(text)
        release, *rest = re.split(r"[.-]?(?=dev|a|b|rc)", self.text, maxsplit=1)
        self.release = tuple(int(number) for number in release.split("."))
        stage, number = re.fullmatch(r"([a-z]+)\.?(\d*).*", rest[0]).groups() if rest else ("", "")
        self.order = (tuple(self.release) + (0, 0, 0))[:3], self.STAGES.get(stage, 0), int(number or 0)

    major = property(lambda self: self.order[0][0])
    minor = property(lambda self: self.order[0][1])
    micro = property(lambda self: self.order[0][2])

    def __str__(self):
        return self.text

    def __hash__(self):
        return hash(self.order)

    def __eq__(self, other):
        return self.order == Version(other).order

    def __lt__(self, other):
        return self.order < Version(other).order


class Object:
    """The result of an object constructor, which is the value of a field. With an unknown name, it may be a target instead."""

    groups = 0

    def __init__(self, kind, positional, named):
        self.kind, self.positional, self.named = kind, positional, named
        self.is_used = False

    def keys(self):
        """Supports `**parametrize(…)`: the group becomes one argument with a generated name."""
        if self.kind != "parametrize":
            raise TypeError("`**` takes a dict, not a `%s`" % self.kind)
        Object.groups += 1
        return [GROUP + str(Object.groups)]

    def __getitem__(self, key):
        return self


class File:
    """One BUILD file and its declarations."""

    def __init__(self, path, request):
        self.path, self.request = path, request
        self.targets, self.defaults = [], []
        self.rules = {"__dependencies_rules__": [], "__dependents_rules__": []}
        self.wants = {"env": set(), "open": set()}

    def evaluate(self, preludes):
        names = self.symbols()
        sources = [(path, read(path)) for path in preludes + [self.path]]
        trees = [ast.parse(text, path) for path, text in sources]
        names.update(self.unknown(names, trees))
        for (path, _), tree in zip(sources, trees):
            exec(compile(tree, path, "exec"), names)
        return self.result()

    def symbols(self):
        names = {name: getattr(typing, name) for name in typing.__all__}
        names["__builtins__"] = dict(vars(builtins), __import__=refuse_import, open=self.open, print=lambda *a, **k: None)
        for name in self.request["kinds"]:
            names[name] = Kind(name, True, self)
        for name in self.request["objects"]:
            names[name] = constructor(name)
        names["PANTS_VERSION"] = Version(self.request["pants_version"])
        names["env"] = self.env
        names["build_file_dir"] = lambda: pathlib.PurePosixPath(self.path).parent
        names["__defaults__"] = self.set_defaults
        for name in self.rules:
            names[name] = self.rules_setter(name)
        return names

    def unknown(self, names, trees):
        """Target types of plugins: names that are called but not bound anywhere."""
        nodes = [node for tree in trees for node in ast.walk(tree)]
        bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        bound.update(node.name for node in nodes if hasattr(node, "name") and isinstance(node.name, str))
        bound.update(node.arg for node in nodes if isinstance(node, ast.arg))
        called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        missing = called - bound - set(names) - set(names["__builtins__"])
        return {name: Kind(name, False, self) for name in missing}

    def declare(self, kind, made):
        self.targets.append((kind, made, self.line(), len(self.defaults)))

    def line(self):
        """The current line of the BUILD file, even while a macro runs."""
        frame, line = sys._getframe(1), 1
        while frame is not None:
            if frame.f_code.co_filename == self.path:
                line = frame.f_lineno
            frame = frame.f_back
        return line

    def env(self, name, default=None):
        known = self.request["env"]
        if name not in known:
            self.wants["env"].add(name)
        value = known.get(name)
        return default if value is None else value

    def open(self, path, mode="r", *more, **options):
        if mode not in ("r", "rt"):
            raise BuildFileError("files can only be opened for reading as text")
        path = str(pathlib.PurePosixPath(str(path)))
        if path.startswith("/") or ".." in path.split("/"):
            raise BuildFileError("cannot open `%s`: it is outside the repository" % path)
        if path not in self.request["open"]:
            self.wants["open"].add(path)
            raise MissingFile()
        try:
            return io.StringIO(read(path))
        except OSError as error:
            raise BuildFileError("cannot open `%s`: %s" % (path, error.strerror))

    def set_defaults(self, *mappings, **options):
        kinds = []
        for mapping in mappings:
            for names, fields in mapping.items():
                names = names if isinstance(names, tuple) else (names,)
                kinds.append([[str(name) for name in names], pairs(fields)])
        call = {name: bool(options.pop(name, False)) for name in FLAGS}
        call.update(kinds=kinds, all=pairs(options.pop("all", None) or {}), line=self.line())
        if options:
            raise BuildFileError("`__defaults__` takes no argument `%s`" % sorted(options)[0])
        self.defaults.append(call)

    def rules_setter(self, name):
        def rules(*rulesets, **options):
            call = {"rulesets": [encode(rule, True) for rule in rulesets], "extend": bool(options.get("extend"))}
            self.rules[name].append(dict(call, line=self.line()))

        return rules

    def partial_result(self):
        """The declarations before an error."""
        try:
            return self.result()
        except Exception:
            return dict(self.rules, targets=[], defaults=[])

    def result(self):
        declared = [
            {"kind": kind.name, "known": kind.known, "fields": pairs(made.named), "line": line, "after": after, "made": made}
            for kind, made, line, after in self.targets
        ]
        # Objects of unknown names that did not become values of fields are targets.
        targets = [target for target in declared if not target.pop("made").is_used]
        return dict(self.rules, targets=targets, defaults=self.defaults)


FLAGS = ("extend", "ignore_unknown_fields", "ignore_unknown_targets")


def constructor(name):
    return lambda *positional, **named: Object(name, positional, named)


def refuse_import(*_, **__):
    raise BuildFileError(NO_IMPORT)


def read(path):
    with open(path, encoding="utf-8-sig") as file:
        return file.read()


def pairs(mapping):
    keys = mapping.keys()
    return [[str(key), encode(mapping[key])] for key in keys]


def encode(value, in_rule=False):
    """Encodes a value as JSON. A value that JSON does not support becomes an object whose key names its type."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Kind):
        return "<%s>" % value if in_rule else str(value)
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, Object):
        value.is_used = True
        return {
            "object": value.kind,
            "positional": [encode(item) for item in value.positional],
            "named": [[name, encode(item)] for name, item in value.named.items()],
        }
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [encode(item, in_rule) for item in value]}
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
    if hasattr(value, "__iter__"):
        return [encode(item, in_rule) for item in value]
    raise BuildFileError("a field cannot hold a `%s`" % type(value).__name__)


def error_position(error, files):
    """The innermost line of the repository's own files in the traceback of an error."""
    if isinstance(error, SyntaxError) and error.filename in files:
        return error.filename, error.lineno or 1, error.offset or 1
    place, traceback = (files[-1], 1, 1), error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename in files:
            place = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno, 1)
        traceback = traceback.tb_next
    return place


def error_entry(error, files):
    """The error of a file in the response."""
    file, line, column = error_position(error, files)
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    message = text if isinstance(error, BuildFileError) else "%s: %s" % (type(error).__name__, text)
    return {"error": {"file": file, "line": line, "column": column, "message": message}}


def main(request_file, response_file):
    request = json.loads(read(request_file))
    files, wants = {}, {"env": set(), "open": set()}
    for path in request["files"]:
        file = File(path, request)
        try:
            files[path] = file.evaluate(request["preludes"])
        except MissingFile:
            files[path] = None
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            files[path] = dict(file.partial_result(), **error_entry(error, request["preludes"] + [path]))
        for what in wants:
            wants[what] |= file.wants[what]
    response = {"files": files, "wants": {what: sorted(names) for what, names in wants.items()}}
    with open(response_file, "w", encoding="utf-8") as file:
        json.dump(response, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
