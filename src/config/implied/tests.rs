//! Settings that follow from the files of projects.

use super::*;

fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn check(files: &[(&str, &str)], expected: &[&str]) {
    let dir = repository(files);
    let [text, own] = settings(dir.path());
    own.parse::<toml::Table>().unwrap();
    text.parse::<toml::Table>().unwrap();
    for line in expected {
        assert!(text.lines().any(|found| found == *line), "{line}\n{text}");
    }
}

#[test]
fn source_roots_follow_from_projects() {
    check(&[("pyproject.toml", ""), ("app/a.py", "")], &["root_patterns = [\"/\"]"]);
    check(&[("pyproject.toml", ""), ("src/app/a.py", "")], &["root_patterns = [\"/\", \"/src\"]"]);
    check(&[("setup.py", ""), ("tests/a_test.py", "")], &["root_patterns = [\"/\", \"/tests\"]"]);
    check(&[("setup.py", ""), ("tests/a_test.py", ""), ("tests/__init__.py", "")], &["root_patterns = [\"/\"]"]);
    let package = [("setup.py", ""), ("tests/a/b_test.py", ""), ("tests/a/__init__.py", "")];
    check(&package, &["root_patterns = [\"/\", \"/tests\"]"]);
    check(
        &[("uv.lock", ""), ("pyproject.toml", ""), ("packages/b/pyproject.toml", ""), ("packages/b/src/b.py", "")],
        &["root_patterns = [\"/\", \"/packages/b\", \"/packages/b/src\"]"],
    );
}

#[test]
fn interpreters_follow_from_requirements_and_the_pinned_version() {
    let project = ("pyproject.toml", "[project]\nrequires-python = '>=3.10, <4'\n");
    check(&[project], &["interpreter_constraints = [\"CPython>=3.10,<4\"]"]);
    check(&[project, (".python-version", "3.12.1\n")], &["interpreter_constraints = [\"CPython==3.12.*\"]"]);
    check(&[project, (".python-version", "pypy\n")], &["interpreter_constraints = [\"CPython>=3.10,<4\"]"]);
    check(&[("requirements.txt", "")], &["interpreter_constraints = [\"CPython>=3.9\"]"]);
}

#[test]
fn tools_with_settings_are_enabled_with_their_locked_version() {
    check(
        &[
            (
                "pyproject.toml",
                "[tool.ruff]\n[tool.black]\n[dependency-groups]\ndev = ['pytest', 'pytest_cov>2']\n[tool.uv.workspace]\n",
            ),
            ("uv.lock", "[[package]]\nname = \"pytest\"\n\n[[package]]\nname = \"ruff\"\n"),
            (".flake8", ""),
        ],
        &[
            "backend_packages = [\"pants.backend.python\", \"pants.backend.python.lint.black\", \
             \"pants.backend.python.lint.flake8\", \"pants.backend.experimental.python.lint.ruff.check\"]",
            "default = \"uv.lock\"",
            "requirements = [\"ruff\"]",
        ],
    );
}

#[test]
fn the_root_is_the_directory_of_the_lockfile_within_the_git_repository() {
    let dir = repository(&[
        ("uv.lock", ""),
        ("work/.git/HEAD", ""),
        ("work/poetry.lock", ""),
        ("work/a/pyproject.toml", ""),
        ("work/a/b/c.py", ""),
    ]);
    let root = |below: &str| find_root(&dir.path().join(below)).unwrap();
    assert_eq!(root("work/a/b"), dir.path().join("work"));
    std::fs::remove_file(dir.path().join("work/poetry.lock")).unwrap();
    assert_eq!(root("work/a/b"), dir.path().join("work/a"));
    assert_eq!(find_root(&dir.path().join("work")), None, "the lockfile is outside of the git repository");
}
