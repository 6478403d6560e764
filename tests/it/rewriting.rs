//! A goal that is killed while it rewrites a file of the repository leaves a complete file. The killed process is this test
//! binary, started again with `rewriting_role`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use waders::base::{Digest, RelPath};
use waders::session::rewrite::rewrite;

/// Large enough that a write can be interrupted.
fn content(n: u8) -> Vec<u8> {
    vec![b'0' + n; 3 << 20]
}

#[test]
#[ignore = "the process that the test in this file kills"]
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
fn a_kill_at_any_time_leaves_the_old_or_the_new_file() {
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
