//! A second local user who tries to reach the store while goals run. Nothing in it may be listed, read or written by
//! others: a file planted in the output of a formatter would be written over a source.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::transcripts::workspace::{Workspace, now_nanos, store};

/// The id of a user who owns no file of the test.
const OTHER_USER: &str = "1002";

/// Looks for output directories below `$1/tmp`, and plants a file in each; reports in `$2` what it could list or write.
const PLANTER: &str = r#"
while :; do
    ls "$1" > /dev/null 2>&1 && echo "listed $1" >> "$2/log"
    for out in "$1"/tmp/*/*/out; do
        mkdir -p "$out/src/app" 2> /dev/null
        for file in "$out/src/app/greet.py" "$out/planted"; do
            echo "PLANTED = 1" 2> /dev/null > "$file" && echo "wrote $file" >> "$2/log"
        done
    done
done
"#;

/// A running process of the second user, which is killed when this value is dropped.
struct Planter {
    process: Child,
    dir: tempfile::TempDir,
}

impl Planter {
    fn start(root: &Path) -> Planter {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        let ids = [format!("--reuid={OTHER_USER}"), format!("--regid={OTHER_USER}")];
        let mut command = Command::new("setpriv");
        command.args(ids).args(["--clear-groups", "sh", "-c", PLANTER, "sh"]).arg(root).arg(dir.path());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Planter { process, dir }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Planter {
    fn drop(&mut self) {
        // The process may have ended already, which the assertions detect.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A directory with the layout of a store and access for every user: a control in which the planter must succeed.
fn open_store() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("tmp/session/0/out");
    fs::create_dir_all(&out).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&out, Permissions::from_mode(0o777)).unwrap();
    dir
}

fn wait_until(condition: impl Fn() -> bool) -> bool {
    for _ in 0..100 {
        if condition() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    false
}

/// True if the second user can list the directory of the store: otherwise the test would be meaningless.
fn is_reachable(dir: &Path) -> bool {
    let ids = [format!("--reuid={OTHER_USER}"), format!("--regid={OTHER_USER}")];
    let status =
        Command::new("setpriv").args(ids).args(["--clear-groups", "ls"]).arg(dir).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Changes a file, so that results of earlier runs are not reused.
fn touch(workspace: &Workspace, repository: &str, file: &str) {
    let path = workspace.repository(repository).join(file);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{text}# {}\n", now_nanos())).unwrap();
}

#[test]
fn another_user_can_neither_list_the_store_nor_plant_files_in_it() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can act as a second user");
        return;
    }
    let Some(workspace) = Workspace::running() else { return };
    fs::set_permissions(store(), Permissions::from_mode(0o755)).unwrap();
    if !is_reachable(&store()) {
        println!("skipped: the second user cannot reach `{}` in any case", store().display());
        return;
    }
    let control = open_store();
    let planter = Planter::start(control.path());
    assert!(wait_until(|| planter.log().contains("wrote")), "the second user can plant files where that is allowed");
    drop(planter);

    let planter = Planter::start(&store().join("waders"));
    let goals = [
        ("lint", "src/app/greet.py", &["fmt", "src/app::"][..]),
        ("lint", "src/app/greet.py", &["fix", "src/app::"]),
        ("lint", "src/app/greet.py", &["lint", "src/app::"]),
        ("checking", "src/shop/cart.py", &["check", "src/shop::"]),
        ("daily", "src/app/greet.py", &["test", "::"]),
    ];
    for (repository, file, args) in goals {
        touch(&workspace, repository, file);
        let output = workspace.waders(repository, args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some_and(|code| code < 69), "{args:?}: {stderr}");
        let text = fs::read_to_string(workspace.repository(repository).join(file)).unwrap();
        assert!(!text.contains("PLANTED"), "{args:?} wrote a planted file over `{file}`");
    }
    assert_eq!(planter.log(), "", "the second user reached the store");
}
