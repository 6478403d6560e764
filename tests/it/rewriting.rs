//! A goal that is killed while it writes into the repository leaves whole files. The other process is this test binary,
//! run again with a role.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use waders::base::{Digest, RelPath};
use waders::session::rewrite::rewrite;

/// Large enough that writing takes a while.
fn content(n: u8) -> Vec<u8> {
    vec![b'0' + n; 3 << 20]
}

#[test]
#[ignore = "the other side of the test in this file; does nothing on its own"]
fn rewriting_role() {
    let Ok(root) = std::env::var("REWRITE_ROOT") else { return };
    let file = RelPath::parse("BUILD").unwrap();
    let (a, b) = (content(0), content(1));
    loop {
        rewrite(Path::new(&root), &file, Some(Digest::of(&a)), &b).unwrap();
        rewrite(Path::new(&root), &file, Some(Digest::of(&b)), &a).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_file_or_the_new_one() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("BUILD");
    for round in 0..20 {
        fs::write(&file, content(0)).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "rewriting::rewriting_role", "--ignored"]).env("REWRITE_ROOT", root.path());
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + 7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let left = fs::read(&file).unwrap();
        assert!(left == content(0) || left == content(1), "round {round}: {} bytes", left.len());
    }
}
