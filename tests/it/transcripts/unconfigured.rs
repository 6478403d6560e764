//! Repositories without `pants.toml` and BUILD files: their settings and targets follow from their own files.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

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

/// Writes a repository. It is outside of this one, whose `pants.toml` would apply.
fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
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
    write(dir.path(), FILES);
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

const VERSION_TEST: &str = "from importlib.metadata import version\n\nimport shop\n\n\ndef test_version():\n    \
                            assert shop.__version__ == version(\"fixture-shop\") == \"1.4.2rc1\"\n    \
                            assert shop.version_tuple == (1, 4, 2, \"rc1\")\n";

#[test]
fn a_version_from_git_is_the_nearest_tag_and_its_file_is_generated() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            (
                "pyproject.toml",
                "[project]\nname = 'fixture-shop'\ndynamic = ['version']\nrequires-python = '==3.11.*'\n[tool.hatch]\nversion.source = 'vcs'\n\
             build.hooks.vcs.version-file = 'src/shop/_version.py'\n",
            ),
            (".gitignore", "_version.py\n"),
            ("src/shop/__init__.py", "from ._version import __version__, version_tuple\n"),
            ("tests/test_version.py", VERSION_TEST),
        ],
    );
    let test = || run(&workspace, dir.path(), &["test", "::"]);
    let (code, _, stderr) = test();
    assert!(code == 1 && stderr.contains("AssertionError: assert '0.0' == '1.4.2rc1'"), "{stderr}");
    let git = |words: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(identity).args(words).current_dir(dir.path()).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !git(&["init", "-q"]) {
        println!("skipped: git is not installed");
        return;
    }
    assert!(git(&["add", "-A"]) && git(&["commit", "-q", "-m", "one"]) && git(&["tag", "v1.4.2rc1"]));
    let (code, _, stderr) = test();
    assert_eq!(code, 0, "{stderr}");

    // Another commit has the same version; a file that the build backend left is not used, and another tag is noticed.
    fs::write(dir.path().join("src/shop/_version.py"), "raise SystemExit\n").unwrap();
    assert!(git(&["commit", "-q", "--allow-empty", "-m", "two"]));
    let (code, _, stderr) = test();
    assert!(code == 0 && stderr.contains("1 file passed (1 cached)"), "{stderr}");
    assert!(git(&["tag", "v2.0"]));
    let (code, _, stderr) = test();
    assert!(code == 1 && stderr.contains("AssertionError: assert '2.0' == '1.4.2rc1'"), "{stderr}");
}

#[test]
fn a_project_takes_the_place_of_a_package_of_pytest_and_skipped_tests_are_data() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    let test = "from importlib.metadata import version\nfrom pathlib import Path\n\nimport packaging\n\n\ndef test_own():\n    \
                assert packaging.__version__ == \"own\" and version(\"packaging\") == \"999\"\n\n\n\
                def test_data():\n    dir = Path(__file__).parent\n    assert (dir / \"samples\" / \"test_sample.py\").exists()\n    \
                assert (dir / \".state\" / \"a.txt\").exists()\n    assert not list(dir.glob(\"*other*\"))\n";
    write(
        dir.path(),
        &[
            (
                "pyproject.toml",
                "[project]\nname = 'packaging'\nversion = '999'\nrequires-python = '==3.11.*'\n[tool.pytest.ini_options]\nnorecursedirs = 'samples'\n",
            ),
            ("src/packaging/__init__.py", "__version__ = 'own'\n"),
            ("tests/test_own.py", test),
            ("tests/test_other.py", "def test_nothing():\n    pass\n"),
            ("tests/samples/test_sample.py", "def test_nothing():\n    assert False\n"),
            ("tests/.state/a.txt", ""),
        ],
    );
    let (code, _, stderr) = run(&workspace, dir.path(), &["test", "::"]);
    assert!(code == 0 && stderr.contains("2 files passed: 3 tests passed"), "{stderr}");
}

#[test]
fn a_group_that_cannot_be_resolved_is_left_out_of_the_pins() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    let pyproject = |moving: &str| {
        format!(
            "[project]\nname = 'fixture-shop'\nversion = '1'\nrequires-python = '==3.11.*'\ndependencies = ['fixture-base']\n\
             [project.optional-dependencies]\nfast = ['fixture-fast']\n\
             [dependency-groups]\ndocs = ['fixture-moving>{moving}', 'fixture-base']\ntest = ['fixture-alone']\n"
        )
    };
    let test = "import fixture_alone\nimport fixture_base\nimport fixture_fast\n\n\ndef test_values():\n    pass\n";
    write(dir.path(), &[("pyproject.toml", &*pyproject("9")), ("tests/test_values.py", test)]);
    let (code, _, stderr) = run(&workspace, dir.path(), &["test", "::"]);
    let warning = "`waders-requirements.lock` is without the group `docs` of `pyproject.toml`, which cannot be resolved: fixture-moving>9";
    assert!(code == 0 && stderr.contains(warning), "{stderr}");
    let pins = fs::read_to_string(dir.path().join("waders-requirements.lock")).unwrap();
    let note =
        "# left out, since it cannot be resolved with the others: group `docs` of `pyproject.toml`: fixture-moving>9\n";
    assert!(pins.contains(note) && pins.contains("fixture-fast==1.0"), "{pins}");
    let (code, _, stderr) = run(&workspace, dir.path(), &["--frozen", "test", "::"]);
    assert!(code == 0 && !stderr.contains("left out") && !stderr.contains("cannot be resolved"), "{stderr}");

    // What the project itself needs is not left out.
    let needed = pyproject("0").replace("['fixture-base']\n[project.opt", "['fixture-base>9']\n[project.opt");
    fs::write(dir.path().join("pyproject.toml"), needed).unwrap();
    let (code, _, stderr) = run(&workspace, dir.path(), &["test", "::"]);
    assert!(code != 0 && stderr.contains("cannot resolve the requirements of this repository"), "{stderr}");
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
