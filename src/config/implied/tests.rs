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
fn ignore_files_above_the_root_do_not_apply() {
    let dir = repository(&[
        (".gitignore", "*\n"),
        ("work/pyproject.toml", ""),
        ("work/src/app/a.py", ""),
        ("work/.gitignore", "/old\n"),
        ("work/old/pyproject.toml", ""),
    ]);
    let [text, _] = settings(&dir.path().join("work"));
    assert!(text.contains("root_patterns = [\"/\", \"/src\"]\n"), "{text}");
}

#[test]
fn interpreters_follow_from_requirements_and_the_pinned_version() {
    let project = ("pyproject.toml", "[project]\nrequires-python = '>=3.10, <4'\n");
    check(&[project], &["interpreter_constraints = [\"CPython>=3.10,<4\"]"]);
    check(&[project, (".python-version", "3.12.1\n")], &["interpreter_constraints = [\"CPython==3.12.*\"]"]);
    check(&[project, (".python-version", "pypy\n")], &["interpreter_constraints = [\"CPython>=3.10,<4\"]"]);
    check(&[("requirements.txt", "")], &["interpreter_constraints = [\"CPython>=3.9\"]"]);
    let poetry = |python: &str, expected: &str| {
        let text = format!("[tool.poetry.dependencies]\npython = '{python}'\n");
        check(&[("pyproject.toml", &text)], &[&format!("interpreter_constraints = [\"CPython{expected}\"]")]);
    };
    poetry("^3.10", ">=3.10,<4.0.0");
    poetry("~3.11.2", ">=3.11.2,<3.12.0");
    poetry("*", ">=3");
    poetry(">=3.9, <3.13", ">=3.9,<3.13");
    poetry("^3.8 || ^3.10", ">=3.9");
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

#[test]
fn build_backends_and_pytest_name_source_roots() {
    let roots = |text: &str| check(&[("pyproject.toml", text)], &["root_patterns = [\"/\", \"/lib\"]"]);
    roots("[tool.hatch.build]\ndev-mode-dirs = ['lib', '.']\n");
    roots("[tool.setuptools.packages.find]\nwhere = ['lib']\n");
    roots("[tool.setuptools.package-dir]\n'' = './lib'\n");
    roots("[tool.uv.build-backend]\nmodule-root = 'lib'\n");
    roots("[tool.poetry]\npackages = [{ include = 'app', from = 'lib' }, { include = 'b' }]\n");
    roots("[tool.pytest.ini_options]\npythonpath = ['lib', '../elsewhere']\n");
}

#[test]
fn tests_are_the_files_that_pytest_finds() {
    check(&[("pyproject.toml", "")], &["tailor_test_file_globs = [\"test_*.py\", \"*_test.py\"]"]);
    check(
        &[("pyproject.toml", ""), ("pytest.ini", "[pytest]\npython_files = check_*.py\n")],
        &["tailor_test_file_globs = [\"check_*.py\"]"],
    );
    let dir = repository(&[
        ("pyproject.toml", "[tool.pytest.ini_options]\ntestpaths = ['tests', 'packages/*/tests', 'src/one_test.py']\n"),
        ("own/pyproject.toml", "[tool.pytest.ini_options]\ntestpaths = './checks/'\n"),
        ("other/pyproject.toml", "[project]\nname = 'other'\n"),
        ("free/pytest.ini", ""),
        ("free/setup.py", ""),
    ]);
    let rules = TargetRules::read(dir.path());
    let runs = |dir: &str| rules.runs_tests(dir, &["one_test.py".to_owned()]);
    for dir in
        ["tests", "tests/deep/er", "packages/a/tests", "packages/a/tests/b", "src", "own/checks", "free", "free/a"]
    {
        assert!(runs(dir), "{dir}");
    }
    for dir in ["", "examples", "testsuite", "packages/a/src", "own", "own/tests", "other/tests"] {
        assert!(!runs(dir), "{dir}");
    }
}

#[test]
fn without_a_lockfile_tools_have_the_required_version() {
    let text = "[project]\ndependencies = ['pytest-cov>=1']\n[dependency-groups]\ntest = ['pytest >= 9.0; python_version > \"3\"']\n";
    check(&[("pyproject.toml", text)], &["[pytest]", "version = \"pytest>=9.0\""]);
    let dir = repository(&[("pyproject.toml", "[dependency-groups]\ntest = ['pytest', 'pytest-mock>1']\n")]);
    assert!(!pants_toml(dir.path()).contains("[pytest]"));
}

#[test]
fn next_to_a_lockfile_only_projects_have_requirements() {
    let with_lock = repository(&[("uv.lock", ""), ("pyproject.toml", "")]);
    let without = repository(&[("pyproject.toml", "")]);
    let counts = |dir: &tempfile::TempDir, file: &str| TargetRules::read(dir.path()).counts_requirements(file);
    assert!(counts(&with_lock, "pyproject.toml") && !counts(&with_lock, "requirements.txt"));
    assert!(counts(&without, "requirements.txt"));
}
