from __future__ import annotations

from pathlib import Path

from waders_bench.prepared import prepare

LOCK = "".join(
    f'[[package]]\nname = "{name}"\nversion = "{number}.0"\n\n'
    for number, name in enumerate(("markupsafe", "pytest", "pytest-timeout", "trio"))
)


def test_the_copies_have_what_each_runner_reads(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name, text in {
        "uv.lock": LOCK,
        "pyproject.toml": "[tool.ruff]\n\n[tool.tox]\nenv_list = []\n",
        "src/jinja2/__init__.py": "",
        "tests/test_a.py": "",
        ".venv/pyvenv.cfg": "",
    }.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text)
    prepare(checkout, tmp_path)
    plain, targets, bazel = (tmp_path / name for name in ("plain", "targets", "bazel"))
    assert (plain / "uv.lock").read_text() == LOCK
    assert "[tool.tox]" in (plain / "pyproject.toml").read_text()
    compile((plain / "noxfile.py").read_text(), "noxfile.py", "exec")
    assert not (plain / ".venv").exists()
    assert (targets / "pyproject.toml").read_text() == "[tool.ruff]\n\n"
    assert 'requirements=["trio==3.0"]' in (targets / "BUILD").read_text()
    assert not (targets / "uv.lock").exists()
    assert {path.parent.name for path in targets.rglob("BUILD")} == {"targets", "jinja2", "tests"}
    for line in (bazel / ".bazelrc").read_text().splitlines():
        path = Path(line.rpartition("=")[2])
        assert (path / "WORKSPACE").exists() or path.is_relative_to("/usr/share/bazel")
