//! `dist/` on a full disk: a file that was packaged before is kept. Full disks under the store and under exported environments are
//! in the transcripts `restricted_machines` and `exporting`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::transcripts::workspace::store;

/// The exit code of the script where `dist` cannot be mounted.
const NO_MOUNT: i32 = 100;

/// Packages a file of a few bytes to a `dist` of 1 MB, then the same file with 4 MB. `$1` is the program. Leaves the first archive as
/// `before.tar` and a copy of `dist` as `after`.
const SCRIPT: &str = r#"
mkdir dist && mount -t tmpfs -o size=1m full-dist dist || exit 100
"$1" package :archive || exit 101
cp dist/archive.tar before.tar
head -c 4000000 /dev/zero > data.txt
"$1" package :archive
code=$?
cp -r dist after
exit $code
"#;

#[test]
fn a_full_disk_keeps_what_was_packaged_before_and_nothing_half_written() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = dir.path();
    write(root, "pants.toml", "[GLOBAL]\nbackend_packages = [\"pants.backend.python\"]\n");
    write(root, "data.txt", "small\n");
    let build =
        "file(name=\"data\", source=\"data.txt\")\narchive(name=\"archive\", format=\"tar\", files=[\":data\"])\n";
    write(root, "BUILD", build);
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "--", "sh", "-c", SCRIPT, "sh", env!("CARGO_BIN_EXE_waders")]);
    let output = command.current_dir(root).env("XDG_CACHE_HOME", store()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    // `unshare` itself ends with 1 where the kernel allows no user namespaces.
    if output.status.code() == Some(NO_MOUNT) || stderr.contains("unshare failed") {
        println!("skipped: a tmpfs cannot be mounted: {stderr}");
        return;
    }
    // See docs/exit-codes.md: 73 is for the store alone.
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let expected = format!(
        "error: cannot write `{}`\n  caused by: No space left on device (os error 28)\n\
         hint: free some space; a file that existed before is unchanged\n",
        fs::canonicalize(root).unwrap().join("dist").display()
    );
    assert!(stderr.contains(&expected), "{stderr}");
    let left: Vec<_> = fs::read_dir(root.join("after")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["archive.tar"]);
    assert!(fs::read(root.join("after/archive.tar")).unwrap() == fs::read(root.join("before.tar")).unwrap());
}

fn write(root: &Path, name: &str, text: &str) {
    fs::write(root.join(name), text).unwrap();
}
