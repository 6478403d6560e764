"""Copies of a checkout of pallets/jinja for several runners of its tests.

The copy `plain` has a file for nox beside the settings of tox and uv that the project has. The copy `targets` has
BUILD files, which Pants and Waders read; the packages have the versions of `uv.lock`. `waders generate-lockfiles`
writes its lockfile. The copy `bazel` is for Bazel 4 as Debian has it, with its built-in rules for Python: newer ones,
and rules that read lockfiles, come from elsewhere. The requirements are expected in its directory `site`.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

NOXFILE = """\
import nox


@nox.session(python="3.11", venv_backend="uv", reuse_venv=True)
def tests(session: nox.Session) -> None:
    environment = {"UV_PROJECT_ENVIRONMENT": session.virtualenv.location}
    session.run_install("uv", "sync", "--frozen", "--no-default-groups", "--group", "tests", env=environment)
    session.run("pytest", "-q")
"""

SETTINGS = """\
[GLOBAL]
pants_version = "2.17.1"
backend_packages = ["pants.backend.python"]

[source]
root_patterns = ["/src", "/tests"]

[python]
interpreter_constraints = ["CPython==3.11.*"]
enable_resolves = true

[python.resolves]
python-default = "python.lock"

[pytest]
install_from_resolve = "python-default"
requirements = ["pytest", "pytest-timeout"]
"""

SOURCES = """\
python_sources(sources=["*.py"])
resource(name="py_typed", source="py.typed")
"""

TESTS = """\
python_tests(name="tests", dependencies=[":package", ":res", "src/jinja2:jinja2"])
python_test_utils(name="test_utils")
resources(name="res", sources=["res/**/*", "!res/**/*.py"])
python_sources(name="package", sources=["res/**/*.py"])
"""

# One test writes to its own data, which the sandbox of Bazel refuses.
BAZEL = """\
py_library(
    name = "site",
    srcs = glob(["site/**/*.py"]),
    data = glob(["site/**/*"], exclude = ["**/*.py", "**/*.pyc", "**/* *"]),
    imports = ["site"],
)

py_library(
    name = "jinja2",
    srcs = glob(["src/jinja2/**/*.py"]),
    imports = ["src"],
    deps = [":site"],
)

py_library(
    name = "package",
    srcs = ["tests/conftest.py"] + glob(["tests/res/**/*.py"]),
    data = glob(["tests/res/**/*"], exclude = ["**/*.py"]),
    imports = ["tests"],
)

[py_test(
    name = test[len("tests/"):-len(".py")],
    srcs = ["run_pytest.py", test],
    args = ["$(location %s)" % test, "--deselect=" + "tests/test_loader.py::TestFileSystemLoader::" +
            "test_caches_template_based_on_mtime"],
    data = ["pyproject.toml"],
    legacy_create_init = False,
    main = "run_pytest.py",
    deps = [":jinja2", ":package"],
) for test in glob(["tests/test_*.py"])]
"""

RUN_PYTEST = """\
import sys

import pytest

sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""

# Bazel loads these repositories although no test needs them.
STUBS = {
    "rules_cc/cc/defs.bzl": "".join(
        f"{rule} = native.{rule}\n"
        for rule in (
            "cc_binary",
            "cc_import",
            "cc_library",
            "cc_proto_library",
            "cc_test",
            "cc_toolchain",
            "cc_toolchain_suite",
            "fdo_prefetch_hints",
            "fdo_profile",
            "objc_import",
            "objc_library",
        )
    ),
    "rules_cc/cc/BUILD": "",
    "rules_cc/BUILD": "",
    "rules_cc/WORKSPACE": "",
    "remote_coverage_tools/BUILD": """\
filegroup(name = "coverage_report_generator", visibility = ["//visibility:public"])
""",
    "remote_coverage_tools/WORKSPACE": "",
}

# From the packages `bazel-rules-java` and `bazel-rules-proto`.
RULES_OF_DEBIAN = {"rules_java": "/usr/share/bazel/rules/java", "rules_proto": "/usr/share/bazel/rules/proto"}

PACKAGES = ("markupsafe", "pytest", "pytest-timeout", "trio")


def prepare(checkout: Path, directory: Path) -> None:
    """Makes the copies in the directory, which must not contain them."""
    ignored = shutil.ignore_patterns(
        ".git", ".venv", ".tox", ".nox", "waders.lock", "dist", "__pycache__", ".pytest_cache"
    )
    plain, targets, bazel = (directory / name for name in ("plain", "targets", "bazel"))
    for copy in (plain, targets, bazel):
        shutil.copytree(checkout, copy, ignore=ignored, symlinks=True)
    write(plain, {"noxfile.py": NOXFILE})
    (targets / "uv.lock").unlink()
    project = targets / "pyproject.toml"
    project.write_text(without_tox(project.read_text()))
    requirements = required_targets((checkout / "uv.lock").read_text())
    write(
        targets,
        {"pants.toml": SETTINGS, "BUILD": requirements, "src/jinja2/BUILD": SOURCES, "tests/BUILD": TESTS},
    )
    stubs = bazel.resolve() / "stubs"
    write(stubs, STUBS)
    overrides = {name.partition("/")[0]: str(stubs / name.partition("/")[0]) for name in STUBS} | RULES_OF_DEBIAN
    settings = "".join(f"common --override_repository={name}={path}\n" for name, path in overrides.items())
    write(
        bazel,
        {
            "BUILD": BAZEL,
            "run_pytest.py": RUN_PYTEST,
            "WORKSPACE": "",
            ".bazelignore": "stubs\n",
            ".bazelrc": settings,
        },
    )


def write(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def required_targets(lock: str) -> str:
    """A target for each package, with the version of a `uv.lock`."""
    versions = {package["name"]: package.get("version") for package in tomllib.loads(lock)["package"]}
    lines = [f'python_requirement(name="{name}", requirements=["{name}=={versions[name]}"])' for name in PACKAGES]
    return "\n".join(lines) + "\n"


def without_tox(project: str) -> str:
    """Drops the settings of tox, which come last: the TOML parser of Pants 2.17 fails at them."""
    return project.partition("[tool.tox]")[0]
