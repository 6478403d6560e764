//! Selection by changes: `--changed-since` with deleted files, dependents and missing BUILD files, in a repository of git.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A repository with one commit: `p/a.py`, `p/b.py`, which imports it, and a test of each. `None` without git.
fn repository() -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    let settings = "[GLOBAL]\nbackend_packages = [\"pants.backend.python\"]\n[source]\nroot_patterns = [\"/\"]\n[python]\ninterpreter_constraints = [\"CPython==3.11.*\"]\n";
    for (file, text) in [
        ("pants.toml", settings),
        ("p/BUILD", "python_sources()\npython_tests(name=\"tests\")\n"),
        ("p/a.py", ""),
        ("p/b.py", "import p.a\n"),
        ("p/test_a.py", "import p.a\n"),
        ("p/test_b.py", "import p.b\n"),
        ("p/test_c.py", ""),
    ] {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"];
    for words in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "all"]] {
        let output = Command::new("git").args(identity).args(words).current_dir(dir.path()).output();
        if !output.is_ok_and(|output| output.status.success()) {
            println!("skipped: git is not installed");
            return None;
        }
    }
    Some(dir)
}

/// The lines that a command line with `--changed-since=HEAD` prints.
fn waders(root: &Path, args: &[&str]) -> Vec<String> {
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("changed_files");
    let mut command = Command::new(env!("CARGO_BIN_EXE_waders"));
    command.arg("--changed-since=HEAD").args(args).current_dir(root).env("XDG_CACHE_HOME", store);
    let output = command.env_remove("CI").output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn importers_of_a_deleted_module_depend_on_the_change() {
    let Some(dir) = repository() else { return };
    fs::remove_file(dir.path().join("p/a.py")).unwrap();
    let direct = ["p:p", "p/b.py", "p/test_a.py:tests"];
    assert_eq!(waders(dir.path(), &["--changed-dependents=direct", "list"]), direct);
    let transitive = ["p:p", "p:tests", "p/b.py", "p/test_a.py:tests", "p/test_b.py:tests"];
    assert_eq!(waders(dir.path(), &["--changed-dependents=transitive", "list"]), transitive);
    let renamed = dir.path().join("p/renamed.py");
    fs::write(&renamed, "").unwrap();
    assert!(waders(dir.path(), &["--changed-dependents=direct", "list"]).contains(&"p/b.py".to_owned()));
}

#[test]
fn a_generator_among_the_dependents_selects_no_other_files() {
    let Some(dir) = repository() else { return };
    fs::write(dir.path().join("p/a.py"), "x = 1\n").unwrap();
    let counted = waders(dir.path(), &["--changed-dependents=transitive", "count-loc", "--json"]).join("\n");
    let counted: serde_json::Value = serde_json::from_str(&counted).unwrap();
    assert!(counted.to_string().contains("\"files\":4"), "{counted}");
}

#[test]
fn tailor_creates_a_build_file_that_was_deleted() {
    let Some(dir) = repository() else { return };
    let build = dir.path().join("p/BUILD");
    let before = fs::read(&build).unwrap().len();
    fs::remove_file(&build).unwrap();
    waders(dir.path(), &["tailor"]);
    assert!(fs::read(&build).unwrap().len() >= before);
}
