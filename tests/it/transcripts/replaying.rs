//! Bundles: a step that root ran is repeated by an ordinary user with an empty store at another path, and damaged or foreign bundles are
//! refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::transcripts::workspace::Workspace;

const REPOSITORY: &str = "explaining";

/// The id of a user who owns no file of the test.
const OTHER_USER: &str = "1003";

fn run(workspace: &Workspace, args: &[&str]) -> Output {
    workspace.waders(REPOSITORY, args).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A directory that another user can use, with a bundle of the test of the fixture.
fn bundle(workspace: &Workspace) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let tested = run(workspace, &["test", "::"]);
    assert!(tested.status.success(), "{}", text(&tested));
    let create = format!("--create={}", dir.path().join("one.bundle").display());
    let created = run(workspace, &["replay", &create, "shop/basket_test.py"]);
    assert!(created.status.success(), "{}", text(&created));
    dir
}

/// The program as another user, without a repository, with its own home and an empty store.
fn as_other_user(dir: &Path, program: &Path, args: &[&str]) -> Output {
    let home = dir.join("home");
    let ids = [format!("--reuid={OTHER_USER}"), format!("--regid={OTHER_USER}")];
    let mut command = Command::new("setpriv");
    command.args(ids).arg("--clear-groups").arg(program).args(args).current_dir(dir).env_clear();
    command.env("HOME", &home).env("XDG_CACHE_HOME", home.join("cache")).env("PATH", "/usr/bin").output().unwrap()
}

#[test]
fn a_bundle_of_root_is_repeated_by_an_ordinary_user_with_an_empty_store() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can act as a second user");
        return;
    }
    let Some(workspace) = Workspace::running() else { return };
    let dir = bundle(&workspace);
    let again = format!("--create={}", dir.path().join("two.bundle").display());
    assert!(run(&workspace, &["replay", &again, "shop/basket_test.py"]).status.success());
    let [one, two] = ["one.bundle", "two.bundle"].map(|name| fs::read(dir.path().join(name)).unwrap());
    assert_eq!(one, two, "the same step gives the same bytes");

    let program = dir.path().join("waders");
    fs::copy(env!("CARGO_BIN_EXE_waders"), &program).unwrap();
    fs::create_dir(dir.path().join("home")).unwrap();
    fs::set_permissions(dir.path().join("home"), Permissions::from_mode(0o777)).unwrap();
    for name in ["one.bundle", "waders"] {
        fs::set_permissions(dir.path().join(name), Permissions::from_mode(0o755)).unwrap();
    }
    let replayed = as_other_user(dir.path(), &program, &["replay", "one.bundle"]);
    let output = text(&replayed);
    assert!(replayed.status.success(), "{output}");
    assert!(output.contains("reproduced: shop/basket_test.py:tests (exit code 0, 1 output file)"), "{output}");

    refuse_damaged(&workspace, dir.path(), &one);
    let shell =
        as_other_user(dir.path(), &program, &["replay", "--shell", "one.bundle", "--", "cat", "shop/prices.py"]);
    assert!(text(&shell).contains("TAX = "), "{}", text(&shell));
}

/// Damaged and foreign files are refused. `whole` is a bundle.
fn refuse_damaged(workspace: &Workspace, dir: &Path, whole: &[u8]) {
    let replay = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        let output = run(workspace, &["replay", &path.display().to_string()]);
        assert_eq!(output.status.code(), Some(76), "{name}: {}", text(&output));
        text(&output)
    };
    let output = replay("truncated", &whole[..whole.len() / 2]);
    assert!(output.contains("is not a valid bundle"), "{output}");
    replay("text", b"not a bundle at all");
    let mut changed = whole.to_vec();
    changed[whole.len() / 3] ^= 1;
    replay("changed", &changed);
    let output = run(workspace, &["replay", "missing.bundle"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("cannot read"), "{}", text(&output));
}

#[test]
fn another_result_than_the_recorded_one_has_its_own_exit_code() {
    let Some(workspace) = Workspace::running() else { return };
    let test = workspace.repository(REPOSITORY).join("shop/basket_test.py");
    let source = "import os\n\n\ndef test_random():\n    open('extra-output/word', 'wb').write(os.urandom(8))\n";
    fs::write(test, source).unwrap();
    let dir = bundle(&workspace);
    let path = dir.path().join("one.bundle").display().to_string();
    let replayed = run(&workspace, &["replay", &path]);
    let output = text(&replayed);
    assert_eq!(replayed.status.code(), Some(79), "{output}");
    assert!(output.contains("output file `extra-output/word` differs"), "{output}");
    let replayed = run(&workspace, &["replay", "--json", &path]);
    assert!(text(&replayed).contains("\"reproduced\": false"), "{}", text(&replayed));
}
