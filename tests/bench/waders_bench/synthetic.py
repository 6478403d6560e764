"""Deterministic repositories of any size, to measure how costs grow."""

from __future__ import annotations

from pathlib import Path

MODULES_IN_A_PACKAGE = 20
PACKAGES_IN_A_GROUP = 50
STANDARD = ("os", "re", "json", "typing", "pathlib", "dataclasses", "collections", "functools")
REQUIREMENTS = ("requests", "numpy", "pyyaml", "attrs", "click", "jinja2", "sqlalchemy", "pydantic", "aiohttp", "rich")
MODULES_OF_REQUIREMENTS = (*REQUIREMENTS[:2], "yaml", *REQUIREMENTS[3:])

SETTINGS = """\
[GLOBAL]
backend_packages = ["pants.backend.python"]

[source]
root_patterns = ["/src"]
"""

BODY = '''

@dataclasses.dataclass
class Thing{number}:
    """One of many."""

    name: str
    size: int = {number}

    def text(self) -> str:
        if self.size > 10:
            return f"{{self.name}} is large: {{self.size}}"
        return json.dumps({{"name": self.name, "size": self.size}})


def find(things: list[Thing{number}], name: str) -> Thing{number} | None:
    for thing in things:
        if thing.name == name:
            return thing
    return None
'''


def write(root: Path, files: int) -> None:
    """Writes a repository with this number of `.py` files: packages of twenty modules, every fifth of them a test."""
    (root / "src").mkdir(parents=True)
    (root / "pants.toml").write_text(SETTINGS)
    (root / "requirements.txt").write_text("".join(f"{name}>=1\n" for name in REQUIREMENTS))
    (root / "BUILD").write_text('python_requirements(name="requirements")\n')
    for number in range(files):
        path = root / path_of(number)
        if number % MODULES_IN_A_PACKAGE == 0:
            path.parent.mkdir(parents=True)
            (path.parent / "BUILD").write_text('python_sources()\n\npython_tests(name="tests")\n')
        path.write_text(text_of(number))


def path_of(number: int) -> str:
    package, place = divmod(number, MODULES_IN_A_PACKAGE)
    name = "__init__.py" if place == 0 else f"module_{place}.py"
    if place % 5 == 4:
        name = f"test_module_{place}.py"
    return f"src/group_{package // PACKAGES_IN_A_GROUP}/package_{package}/{name}"


def module_of(number: int) -> str:
    return path_of(number).removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported_by(number: int) -> list[int]:
    """The modules that a module imports: up to six earlier ones that are not tests, so that the graph has no cycles."""
    earlier = (number - 1, number - 2, number // 2, number // 3, number - 23, number * 7 // 11)
    return sorted({other for other in earlier if 0 <= other < number and other % MODULES_IN_A_PACKAGE % 5 != 4})


def text_of(number: int) -> str:
    standard = {STANDARD[(number + step) % len(STANDARD)] for step in range(3)} | {"dataclasses", "json"}
    lines = [f"import {module}" for module in sorted(standard)]
    lines.append(f"import {MODULES_OF_REQUIREMENTS[number % len(MODULES_OF_REQUIREMENTS)]}")
    lines += [f"from {module_of(other)} import Thing{other}" for other in imported_by(number)]
    return "\n".join(lines) + "\n" + BODY.format(number=number)
