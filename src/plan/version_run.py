# Computes a version from the description of a commit, and writes the file that contains it. Argument: the description, the settings of
# setuptools_scm, and the template and place of the file, in JSON.
import datetime
import json
import os
import re
import sys

from packaging.version import Version
from setuptools_scm import Configuration
from setuptools_scm.version import format_version, meta

given = json.loads(sys.argv[1])
settings = {name: value for name, value in given["settings"].items() if value is not None}
if "tag_regex" in settings:
    settings["tag_regex"] = re.compile(settings["tag_regex"])
config = Configuration(**settings)
version = meta(
    given["tag"] or config.version_cls("0.0"),
    distance=given["distance"],
    dirty=given["dirty"],
    node=given["node"],
    branch=given["branch"],
    node_date=datetime.date.fromisoformat(given["node_date"]) if given["node_date"] else None,
    config=config,
)
version = format_version(version)
parsed = Version(version)
parts = list(parsed.release)
if parsed.pre:
    parts.append("".join(map(str, parsed.pre)))
if parsed.post is not None:
    parts.append(f"post{parsed.post}")
if parsed.dev is not None:
    parts.append(f"dev{parsed.dev}")
if parsed.local:
    parts.append(parsed.local)
text = given["template"].format(version=version, version_tuple=tuple(parts))
os.makedirs(os.path.dirname(given["output"]), exist_ok=True)
with open(given["output"], "w") as file:
    file.write(text)
