//! `dist/` on a full disk: what was packaged before is kept. Full disks under the store and under exported environments are in the
//! transcripts `restricted_machines` and `exporting`.

use std::fs;
use std::process::Command;

use crate::transcripts::workspace::store;

/// The exit code of the script where `dist` cannot be mounted.
const NO_MOUNT: i32 = 100;

/// Prepares a `dist` of 1 MB with the commands `$2`, then packages 4 MB. `$1` is the program.
const SCRIPT: &str = r#"
mkdir dist && mount -t tmpfs -o size=1m full-dist dist || exit 100
eval "$2" && cp -r dist before || exit 101
head -c 4000000 /dev/zero > data.txt
"$1" package :archive
code=$?
diff -r before dist || exit 102
exit $code
"#;

#[test]
fn a_full_disk_keeps_the_file_that_was_packaged_before() {
    check(r#""$1" package :archive"#);
}

#[test]
fn a_full_disk_keeps_a_directory_in_the_place_of_the_file() {
    check("mkdir dist/archive.tar && echo old > dist/archive.tar/old");
}

#[test]
fn a_full_disk_is_left_without_a_part_of_the_file() {
    check("true");
}

/// Checks that a `dist` that these commands prepared has the same files after a package did not fit.
fn check(prepare: &str) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = dir.path();
    let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
    write("pants.toml", "[GLOBAL]\nbackend_packages = [\"pants.backend.python\"]\n");
    write("BUILD", "file(name='data', source='data.txt')\narchive(name='archive', format='tar', files=[':data'])\n");
    write("data.txt", "small\n");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "--", "sh", "-c", SCRIPT, "sh", env!("CARGO_BIN_EXE_waders"), prepare]);
    let output = command.current_dir(root).env("XDG_CACHE_HOME", store()).output().unwrap();
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    // `unshare` itself ends with 1 where the kernel allows no user namespaces.
    if output.status.code() == Some(NO_MOUNT) || stderr.contains("unshare failed") {
        return println!("skipped: a tmpfs cannot be mounted: {stderr}");
    }
    // See docs/exit-codes.md: 73 is for the store alone.
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    let expected = format!(
        "error: cannot write `{}`\n  caused by: No space left on device (os error 28)\n\
         hint: free some space; a file that existed before is unchanged\n",
        fs::canonicalize(root).unwrap().join("dist/archive.tar").display()
    );
    assert!(stderr.contains(&expected), "{stderr}");
}
