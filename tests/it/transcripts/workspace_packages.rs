//! Workspaces of uv: each member sees the packages that it declares, and a package that cannot be had stops only the tests that need it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::transcripts::wheels;
use crate::transcripts::workspace::Workspace;

const TEST: &str = "import fixture_base\n\n\ndef test_value():\n    assert fixture_base.VALUE == 1\n";

const MAIN: &str = "import fixture_base\nfrom core_code import ANSWER\n\nprint(ANSWER + fixture_base.VALUE)\n";

const CODE_TEST: &str = "import core_code\n\n\ndef test_answer():\n    assert core_code.ANSWER == 42\n";

/// `core` declares `fixture-base`; `api` requires `core`; `web` declares nothing; `old` requires a package from version control. So does
/// a group of the root.
const FILES: &[(&str, &str)] = &[
    (
        "pyproject.toml",
        "[tool.uv.workspace]\nmembers = ['libs/*', 'apps/*']\n[dependency-groups]\ndev = ['lost-tool']\n\
         [tool.mypy]\ndisable_error_code = ['import-untyped']\n\
         [tool.pylint.main]\ndisable = ['all']\nenable = ['import-error']\n",
    ),
    (".python-version", "3.11\n"),
    ("libs/core/pyproject.toml", "[project]\nname = 'core'\nversion = '1'\ndependencies = ['fixture-base']\n"),
    ("libs/core/tests/test_core.py", TEST),
    ("libs/core/src/core_code.py", "ANSWER = 42\n"),
    ("apps/api/tests/test_core_code.py", CODE_TEST),
    ("apps/web/tests/test_core_code.py", CODE_TEST),
    (
        "apps/api/pyproject.toml",
        "[project]\nname = 'api'\nversion = '1'\ndependencies = ['core']\n[tool.uv.sources]\ncore = { workspace = true }\n",
    ),
    ("apps/api/tests/test_api.py", TEST),
    ("apps/web/pyproject.toml", "[project]\nname = 'web'\nversion = '1'\n"),
    ("apps/web/tests/test_web.py", TEST),
    ("apps/web/src/web_main.py", MAIN),
    ("apps/api/src/api_main.py", MAIN),
    ("apps/old/pyproject.toml", "[project]\nname = 'old'\nversion = '1'\ndependencies = ['lost']\n"),
    ("apps/old/tests/test_old.py", "def test_nothing():\n    pass\n"),
    (
        "uv.lock",
        r#"version = 1
requires-python = ">=3.11"

[manifest]
members = ["api", "core", "old", "web"]

[manifest.dependency-groups]
dev = [{ name = "lost-tool", git = "file:///nowhere/lost-tool" }]

[[package]]
name = "api"
version = "1"
source = { virtual = "apps/api" }
dependencies = [{ name = "core" }]

[[package]]
name = "core"
version = "1"
source = { virtual = "libs/core" }
dependencies = [{ name = "fixture-base" }]

[[package]]
name = "fixture-base"
version = "1.0"
source = { registry = "https://index.example.invalid/simple" }
wheels = [{ url = "@WHEELS@/fixture_base-1.0-py3-none-any.whl", hash = "sha256:@SHA256:fixture_base@" }]

[[package]]
name = "lost"
version = "1.0"
source = { git = "file:///nowhere/lost#0123456789012345678901234567890123456789" }

[[package]]
name = "lost-tool"
version = "2.0"
source = { git = "file:///nowhere/lost-tool#0123456789012345678901234567890123456789" }

[[package]]
name = "old"
version = "1"
source = { virtual = "apps/old" }
dependencies = [{ name = "lost" }]

[[package]]
name = "web"
version = "1"
source = { virtual = "apps/web" }
"#,
    ),
];

/// Writes the workspace. It is outside of this repository, whose `pants.toml` would apply.
fn write(dir: &Path, workspace: &Workspace) {
    let wheels_dir = workspace.repository("daily").with_file_name("wheels");
    for (name, text) in FILES {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wheels::fill_in((*text).to_owned(), &wheels_dir)).unwrap();
    }
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("waders.lock"), dir.join("waders.lock")).unwrap();
}

fn run(workspace: &Workspace, dir: &Path, args: &[&str]) -> (i32, String) {
    let Output { status, stderr, .. } = workspace.waders("daily", args).current_dir(dir).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_member_sees_what_it_declares_and_a_lost_package_stops_only_those_that_need_it() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &workspace);
    let (code, stderr) = run(&workspace, dir.path(), &["test", "libs::", "apps/api::"]);
    assert!(code == 0 && stderr.contains("3 files passed"), "{stderr}");
    assert!(
        stderr.contains("uv.lock:34:1: cannot fetch `lost-tool-2.0`") && stderr.contains("it is not installed"),
        "{stderr}"
    );

    let (code, stderr) = run(&workspace, dir.path(), &["test", "::"]);
    assert!(code != 0 && stderr.contains("3 files passed (3 cached), 2 failed, 1 not run"), "{stderr}");
    let note = "`fixture_base` is declared by `libs/core/pyproject.toml`, but not by the project of this test: add it to the \
                dependencies in `apps/web/pyproject.toml`";
    assert!(stderr.contains("No module named 'fixture_base'") && stderr.contains(note), "{stderr}");
    let note = "`libs/core/src/core_code.py` belongs to the project in `libs/core/pyproject.toml`, which the project of this test does not \
                require: add it to the dependencies in `apps/web/pyproject.toml`";
    assert!(stderr.contains(note), "{stderr}");
    assert!(
        stderr.contains("uv.lock:29:1: cannot fetch `lost-1.0` from `file:///nowhere/lost` at commit `0123"),
        "{stderr}"
    );
}

/// Finds code of `core` in every way but an import that names it.
const UNNAMED_TEST: &str = "import importlib\nimport subprocess\nimport sys\nfrom importlib.metadata import version\nfrom pathlib import Path\n\n\n\
                            def test_computed_name():\n    assert importlib.import_module(\"_\".join([\"core\", \"code\"])).ANSWER == 42\n\n\n\
                            def test_script():\n    script = Path(__file__).parent.parent / \"scripts\" / \"answer.py\"\n    \
                            assert subprocess.check_output([sys.executable, script], env={}).strip() == b\"42\"\n\n\n\
                            def test_metadata():\n    assert version(\"core\") == \"1\"\n";

/// A member with [`UNNAMED_TEST`], which requires only a package that requires `core`.
const INDIRECT: &[(&str, &str)] = &[
    ("apps/job/pyproject.toml", "[project]\nname = 'job'\nversion = '1'\ndependencies = ['fixture-app']\n"),
    ("apps/job/tests/test_job.py", UNNAMED_TEST),
    ("apps/job/scripts/answer.py", "import core_code\n\nprint(core_code.ANSWER)\n"),
    // Would hide the tests of other members if it could be imported.
    ("libs/core/tests/__init__.py", ""),
    ("apps/job/tests/helpers.py", "HELP = True\n"),
    ("apps/job/tests/test_helpers.py", "from tests.helpers import HELP\n\n\ndef test_help():\n    assert HELP\n"),
];

#[test]
fn tests_find_declared_members_that_they_do_not_import_by_name() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &workspace);
    for (name, text) in INDIRECT {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let lock = dir.path().join("uv.lock");
    let wheels_dir = workspace.repository("daily").with_file_name("wheels");
    let job = "\n[[package]]\nname = \"job\"\nversion = \"1\"\nsource = { virtual = \"apps/job\" }\ndependencies = [{ name = \"fixture-app\" }]\n\n\
               [[package]]\nname = \"fixture-app\"\nversion = \"1.0\"\nsource = { registry = \"https://index.example.invalid/simple\" }\n\
               dependencies = [{ name = \"core\" }]\n\
               wheels = [{ url = \"@WHEELS@/fixture_app-1.0-py3-none-any.whl\", hash = \"sha256:@SHA256:fixture_app@\" }]\n";
    let locked = fs::read_to_string(&lock).unwrap() + &wheels::fill_in(job.to_owned(), &wheels_dir);
    fs::write(&lock, locked.replace("\"core\", \"old\"", "\"core\", \"job\", \"old\"")).unwrap();
    let (code, stderr) = run(&workspace, dir.path(), &["test", "apps/job::"]);
    assert!(code == 0 && stderr.contains("2 files passed: 4 tests passed"), "{stderr}");

    // What a test may import decides about its result; other members do not.
    fs::write(dir.path().join("apps/web/src/web_main.py"), "").unwrap();
    let (code, stderr) = run(&workspace, dir.path(), &["test", "apps/job::"]);
    assert!(code == 0 && stderr.contains("2 files passed (2 cached)"), "{stderr}");
    fs::write(dir.path().join("libs/core/src/core_code.py"), "ANSWER = 41\n").unwrap();
    let (code, stderr) = run(&workspace, dir.path(), &["test", "apps/job::"]);
    assert!(code != 0 && stderr.contains("assert 41 == 42"), "{stderr}");

    // A member that is not declared cannot be found.
    fs::write(dir.path().join("apps/web/tests/test_web.py"), UNNAMED_TEST).unwrap();
    let (code, stderr) = run(&workspace, dir.path(), &["test", "apps/web/tests/test_web.py"]);
    assert!(code != 0 && stderr.contains("No module named 'core_code'"), "{stderr}");
    assert!(stderr.contains("No package metadata was found for core"), "{stderr}");
}

#[test]
fn what_a_member_does_not_declare_is_missing_for_checkers_linters_and_programs_too() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &workspace);
    let output = |args: &[&str]| {
        let Output { status, stdout, stderr } = workspace.waders("daily", args).current_dir(&dir).output().unwrap();
        let text = [stdout, stderr].concat();
        (status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    let note = "note: the code of `apps/web` refers to `fixture-base`, `libs/core`, which neither it nor its dependencies declare";
    let (code, text) = output(&["check", "libs::", "apps/api::", "apps/web::"]);
    assert!(code == 1 && text.contains("mypy for apps/web failed") && text.contains(note), "{text}");
    assert!(text.contains("Found 4 errors in 3 files (checked 3 source files)"), "{text}");
    for (file, module) in [("tests/test_web.py:1", "fixture_base"), ("src/web_main.py:2", "core_code")] {
        let missing =
            format!("apps/web/{file}: error: Cannot find implementation or library stub for module named \"{module}\"");
        assert!(text.contains(&missing), "{text}");
    }
    let (code, text) = output(&["check", "libs::", "apps/api::"]);
    assert!(code == 0 && !text.contains("declare"), "{text}");

    let (code, text) = output(&["lint", "libs::", "apps/api::", "apps/web::"]);
    assert!(code != 0 && text.contains("pylint for apps/web failed") && text.contains(note), "{text}");
    for place in ["tests/test_web.py:1:0", "src/web_main.py:2:0"] {
        let missing = format!("apps/web/{place}: E0401: Unable to import");
        assert!(text.contains(&missing) && text.matches("E0401").count() == 4, "{text}");
    }

    for sandbox in ["--no-sandbox", "--sandbox"] {
        let (code, text) = output(&["run", sandbox, "apps/api/src/api_main.py"]);
        assert!(code == 0 && text.contains("43") && !text.contains("declare"), "{text}");
        let (code, text) = output(&["run", sandbox, "apps/web/src/web_main.py"]);
        assert!(code == 1 && text.contains(note), "{text}");
        assert!(text.contains("ModuleNotFoundError: No module named 'fixture_base'"), "{text}");
    }
    fs::write(dir.path().join("waders.toml"), "[python]\npackages_by_project = false\n").unwrap();
    let (code, text) = output(&["run", "apps/web/src/web_main.py"]);
    assert!(code == 0 && text.contains("43"), "{text}");
}

fn git(dir: &Path, words: &[&str]) -> Option<String> {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(words).current_dir(dir).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// A directory with the repository `made`, which has a package in a directory, whose version only the history would tell. A part of the
/// package is the submodule `parts`. `None` without git.
fn package_repository() -> Option<(tempfile::TempDir, String)> {
    let dir = tempfile::tempdir().unwrap();
    let (made, parts) = (dir.path().join("made"), dir.path().join("parts"));
    let setup = "import os\nfrom setuptools import setup\n\nsetup(\n    name='fixture_made',\n    \
                 version=os.environ['SETUPTOOLS_SCM_PRETEND_VERSION'],\n    py_modules=['fixture_made'],\n    packages=['fixture_parts'],\n)\n";
    for (path, text) in [
        (made.join("python/setup.py"), setup),
        (made.join("python/fixture_made.py"), "VALUE = 'first'\n"),
        (made.join("python/.gitattributes"), "*.py text eol=crlf\n"),
        (made.join(".gitmodules"), "[submodule \"parts\"]\npath = python/fixture_parts\nurl = ../parts\n"),
        (parts.join("__init__.py"), "PART = 'from a submodule'\n"),
    ] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let commit = |dir: &Path| {
        [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "one"]]
            .iter()
            .try_for_each(|words| git(dir, words).map(drop))?;
        git(dir, &["rev-parse", "HEAD"])
    };
    let Some(part) = commit(&parts) else {
        println!("skipped: git is not installed");
        return None;
    };
    git(&made, &["init", "-q"])?;
    fs::create_dir(made.join("python/fixture_parts")).unwrap();
    git(&made, &["update-index", "--add", "--cacheinfo", &format!("160000,{part},python/fixture_parts")])?;
    let found = commit(&made)?;
    // Later commits do not matter.
    fs::write(made.join("python/fixture_made.py"), "VALUE = 'second'\n").unwrap();
    git(&made, &["commit", "-q", "-a", "-m", "two"])?;
    Some((dir, found))
}

#[test]
fn a_package_from_git_is_built_from_the_locked_commit_and_recorded() {
    let Some(workspace) = Workspace::running() else { return };
    let Some((repository, commit)) = package_repository() else { return };
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}/made", repository.path().display());
    let lock = format!(
        "version = 1\nrequires-python = \">=3.11\"\n\n[[package]]\nname = \"app\"\nversion = \"1\"\nsource = {{ virtual = \".\" }}\n\
         dependencies = [{{ name = \"fixture-made\" }}]\n\n[[package]]\nname = \"fixture-made\"\nversion = \"1.5\"\n\
         source = {{ git = \"{url}?subdirectory=python&rev=main#{commit}\" }}\n"
    );
    let test = "from importlib.metadata import version\n\nimport fixture_made\nimport fixture_parts\n\n\ndef test_value():\n    \
                assert fixture_made.VALUE == \"first\" and fixture_parts.PART == \"from a submodule\"\n    assert version(\"fixture-made\") == \"1.5\"\n";
    for (name, text) in [
        ("pyproject.toml", "[project]\nname = 'app'\nversion = '1'\ndependencies = ['fixture-made']\n"),
        (".python-version", "3.11\n"),
        ("uv.lock", &lock),
        ("test_made.py", test),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let pins = dir.path().join("waders.lock");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("waders.lock"), &pins).unwrap();

    let (code, stderr) = run(&workspace, dir.path(), &["--frozen", "test", "::"]);
    assert!(code != 0 && stderr.contains("has no hash of `fixture-made-1.5`"), "{stderr}");
    let (code, stderr) = run(&workspace, dir.path(), &["test", "::"]);
    assert_eq!(code, 0, "{stderr}");
    let recorded = fs::read_to_string(&pins).unwrap();
    let record = format!(
        "[[source]]\nname = \"fixture-made-1.5\"\ncommit = \"{commit}\"\nsubdirectory = \"python\"\nsha256 = \""
    );
    let sha256 = recorded.split_once(&record).map(|(_, rest)| &rest[..64]).unwrap_or_else(|| panic!("{recorded}"));

    // Files that differ from the record are refused; with the record, the repository is not needed again.
    fs::write(&pins, recorded.replace(sha256, &"0".repeat(64))).unwrap();
    let (code, stderr) = run(&workspace, dir.path(), &["test", "--force", "::"]);
    assert!(code != 0 && stderr.contains(sha256) && stderr.contains("but `waders.lock` records"), "{stderr}");
    fs::write(&pins, &recorded).unwrap();
    drop(repository);
    let (code, stderr) = run(&workspace, dir.path(), &["--frozen", "test", "--force", "::"]);
    assert_eq!(code, 0, "{stderr}");
}
