//! Repositories without `pants.toml` and BUILD files: their settings and targets follow from their own files.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::transcripts::workspace::Workspace;

/// Starts Python without the variables of the step. `-S` starts it without `site`, and so without packages and first-party code, as in
/// every virtual environment.
const TEST_OF_PROGRAMS: &str = r#"import subprocess
import sys

import pytest
from shop.main import main

LINE = "import shop.main, pytest; print(shop.main.main())"


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ([], str(main())),
        (["-I"], str(main())),
        (["-E", "-s"], str(main())),
        (["-S"], "No module named 'shop'"),
    ],
)
def test_first_party_code_without_variables(options, printed):
    words = [sys.executable, *options, "-c", LINE]
    done = subprocess.run(words, env={}, cwd="/", capture_output=True, text=True)
    assert (done.stdout + done.stderr).strip().endswith(printed)
"#;

const FILES: &[(&str, &str)] = &[
    (
        "pyproject.toml",
        "[project]\nname = 'fixture-shop'\nversion = '1.0'\nrequires-python = '==3.11.*'\n[project.scripts]\nshop = 'shop.main:main'\n\
         [tool.ruff.lint]\nselect = ['F']\n",
    ),
    ("src/shop/__init__.py", ""),
    ("src/shop/main.py", "def main():\n    return 42\n"),
    ("tests/data/answer.txt", "42\n"),
    ("tests/helpers.py", "def fixed():\n    return 42\n"),
    (
        "tests/test_main.py",
        "from importlib.metadata import version\nfrom pathlib import Path\n\nfrom helpers import fixed\nfrom shop.main import main\n\n\n\
         def test_main():\n    text = (Path(__file__).parent / \"data\" / \"answer.txt\").read_text()\n    \
         assert main() == fixed() == int(text)\n    assert version(\"fixture-shop\") == \"1.0\"\n",
    ),
    ("tests/test_programs.py", TEST_OF_PROGRAMS),
];

/// Writes the repository. It is outside of this one, whose `pants.toml` would apply.
fn write(dir: &Path) {
    for (name, text) in FILES {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("waders.lock"), dir.join("waders.lock")).unwrap();
}

fn run(workspace: &Workspace, dir: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = workspace.waders("daily", args).current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn a_project_without_configuration_is_linted_and_tested() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let (code, below, stderr) = run(&workspace, &dir.path().join("src"), &["list", "::"]);
    assert_eq!((code, below.lines().last()), (0, Some("src/shop/main.py")), "{stderr}");
    let implied = run(&workspace, dir.path(), &["list", "::"]).1;
    let targets: Vec<&str> = implied.lines().collect();
    assert!(targets.contains(&"src/shop/main.py") && targets.contains(&"tests/test_main.py:tests0"), "{targets:?}");
    let (code, stdout, stderr) = run(&workspace, dir.path(), &["lint", "test", "::"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stderr.contains("✓ ruff format succeeded") && stderr.contains("2 files passed: "), "{stderr}");

    // What `init` writes says the same.
    let (code, created, stderr) = run(&workspace, dir.path(), &["init"]);
    assert_eq!((code, created.lines().count()), (0, 4), "{created}{stderr}");
    assert_eq!(run(&workspace, dir.path(), &["list", "::"]).1, implied);
    let (code, _, stderr) = run(&workspace, dir.path(), &["lint", "test", "::"]);
    assert!(code == 0 && stderr.contains("2 files passed: "), "{stderr}");
    let (code, _, stderr) = run(&workspace, dir.path(), &["init"]);
    assert!(code == 1 && stderr.contains("this repository has a `pants.toml`"), "{stderr}");
}

#[test]
fn without_a_project_there_is_no_build_root() {
    let workspace = Workspace::new("running");
    let dir = tempfile::tempdir().unwrap();
    // Projects above a git repository do not count.
    fs::create_dir(dir.path().join(".git")).unwrap();
    let (code, _, stderr) = run(&workspace, dir.path(), &["list", "::"]);
    assert!(code == 1 && stderr.contains("pants.toml") && stderr.contains("pyproject.toml"), "{stderr}");
}
