//! `affected`: which projects of a workspace a change affects, in a repository of git.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ROOT: &str = "[tool.uv.workspace]\nmembers = ['libs/*', 'apps/*']\n";

const LOCK: &str = "version = 1\nrequires-python = \">=3.9\"\n\
    [[package]]\nname = \"core\"\nversion = \"1\"\nsource = { editable = \"libs/core\" }\ndependencies = [{ name = \"six\" }]\n\
    [[package]]\nname = \"other\"\nversion = \"1\"\nsource = { editable = \"libs/other\" }\n\
    [[package]]\nname = \"six\"\nversion = \"1.0\"\nsource = { registry = \"https://index.example.invalid/simple\" }\n";

fn write(root: &Path, files: &[(&str, &str)]) {
    for (file, text) in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn git(root: &Path, words: &[&str]) -> bool {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(words).current_dir(root).output();
    output.is_ok_and(|output| output.status.success())
}

/// A workspace with one commit. `web` requires `core`; `tool` imports `core` without requiring it. `None` without git.
fn workspace() -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("pyproject.toml", ROOT),
            ("uv.lock", LOCK),
            ("libs/core/pyproject.toml", "[project]\nname = 'core'\nversion = '1'\ndependencies = ['six']\n"),
            ("libs/core/src/core/__init__.py", ""),
            ("libs/core/src/core/old.py", ""),
            ("libs/core/README.md", ""),
            ("libs/other/pyproject.toml", "[project]\nname = 'other'\nversion = '1'\n"),
            ("apps/web/pyproject.toml", "[project]\nname = 'web'\nversion = '1'\ndependencies = ['core']\n"),
            ("apps/tool/pyproject.toml", "[project]\nname = 'The.Tool'\nversion = '1'\n"),
            ("apps/tool/src/tool.py", "import core.old\n"),
        ],
    );
    if !["init -q", "add -A", "commit -q -m all"]
        .iter()
        .all(|words| git(dir.path(), &words.split(' ').collect::<Vec<_>>()))
    {
        println!("skipped: git is not installed");
        return None;
    }
    Some(dir)
}

fn waders(root: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("affected");
    let mut command = Command::new(env!("CARGO_BIN_EXE_waders"));
    command.args(args).current_dir(root).env("XDG_CACHE_HOME", store).env_remove("CI");
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[track_caller]
fn check(root: &Path, expected: &[&str]) {
    let (code, stdout, stderr) = waders(root, &["affected", "--since=HEAD"]);
    assert_eq!((code, stdout.lines().collect::<Vec<_>>()), (Some(0), expected.to_vec()), "{stderr}");
}

#[test]
fn dependents_by_requirement_and_by_import_are_affected() {
    let Some(dir) = workspace() else { return };
    let root = dir.path();
    check(root, &[]);
    write(root, &[("libs/other/new.txt", "")]);
    check(root, &["other"]);
    write(root, &[("libs/core/README.md", "changed\n")]);
    check(root, &["The.Tool", "core", "other", "web"]);
    let (_, stdout, _) = waders(root, &["affected", "--since=HEAD", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let web = serde_json::json!({ "name": "web", "path": "apps/web", "reason": "depends on core" });
    let core = serde_json::json!({ "name": "core", "path": "libs/core", "reason": "changed" });
    assert!(found.as_array().unwrap().contains(&web) && found.as_array().unwrap().contains(&core), "{found}");
}

#[test]
fn a_deleted_module_affects_its_importers_and_a_file_of_no_project_nobody() {
    let Some(dir) = workspace() else { return };
    let root = dir.path();
    write(root, &[("scripts/x.sh", "")]);
    let (code, stdout, stderr) = waders(root, &["--changed-since=HEAD", "affected"]);
    assert!(code == Some(0) && stdout.is_empty() && stderr.contains("`scripts/x.sh`"), "{stdout}{stderr}");
    fs::remove_file(root.join("libs/core/src/core/old.py")).unwrap();
    check(root, &["The.Tool", "core", "web"]);
}

#[test]
fn changed_packages_affect_those_that_depend_on_them() {
    let Some(dir) = workspace() else { return };
    let root = dir.path();
    write(root, &[("uv.lock", &LOCK.replace("1.0", "2.0"))]);
    let (_, stdout, _) = waders(root, &["affected", "--since=HEAD", "--json"]);
    assert!(stdout.contains("\"depends on six (uv.lock)\"") && !stdout.contains("other"), "{stdout}");
    check(root, &["The.Tool", "core", "web"]);
    write(root, &[(".python-version", "3.11\n")]);
    check(root, &["The.Tool", "core", "other", "web"]);
}

#[test]
fn settings_in_the_root_affect_all_and_its_requirements_what_the_lockfile_says() {
    let Some(dir) = workspace() else { return };
    let root = dir.path();
    let group = "[dependency-groups]\ndev = ['six>=2']\n";
    write(root, &[("pyproject.toml", &(ROOT.to_owned() + group))]);
    check(root, &[]);
    let locked = "[manifest.dependency-groups]\ndev = [{ name = \"six\" }]\n";
    write(root, &[("uv.lock", &(LOCK.replace("1.0", "2.0") + locked))]);
    check(root, &["The.Tool", "core", "other", "web"]);
    write(
        root,
        &[("uv.lock", LOCK), ("pyproject.toml", &(ROOT.to_owned() + "[tool.pytest.ini_options]\naddopts = '-x'\n"))],
    );
    check(root, &["The.Tool", "core", "other", "web"]);
    write(root, &[("pyproject.toml", ROOT), ("mypy.ini", "[mypy]\n")]);
    check(root, &["The.Tool", "core", "other", "web"]);
}

#[test]
fn what_cannot_be_answered_has_a_hint() {
    let Some(dir) = workspace() else { return };
    let root = dir.path();
    let fails = |args: &[&str], expected: &str| {
        let (code, stdout, stderr) = waders(root, args);
        assert!(code == Some(1) && stdout.is_empty() && stderr.contains(expected), "{stdout}{stderr}");
    };
    fails(&["affected"], "affected --since=COMMIT");
    fails(&["affected", "--since=nowhere"], "git fetch");
    fails(&["affected", "--since=HEAD", "libs::"], "remove the specs");
    fs::remove_file(root.join("uv.lock")).unwrap();
    for project in ["libs/core", "libs/other", "apps/web", "apps/tool"] {
        fs::remove_file(root.join(project).join("pyproject.toml")).unwrap();
    }
    write(root, &[("pants.toml", "[GLOBAL]\n")]);
    fails(&["affected", "--since=HEAD"], "--changed-dependents=transitive list");
}
