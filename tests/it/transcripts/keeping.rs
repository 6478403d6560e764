//! What is kept and what is not: results under the key of the bytes that were used, never a damaged byte, and the same
//! for any number of runs at once.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use crate::transcripts::ground::Ground;

const REPOSITORY: &str = "kept";

fn start(ground: &Ground, args: &[&str]) -> Child {
    let mut command = ground.waders(REPOSITORY, args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn run(ground: &Ground, args: &[&str]) -> Output {
    start(ground, args).wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ground() -> Option<Ground> {
    let ground = Ground::new("running");
    match ground.lack() {
        None => Some(ground),
        Some(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

/// What the test said, as it was kept.
fn said(ground: &Ground) -> String {
    let path = ground.repository(REPOSITORY).join("dist/test/tests.word_test.py/said");
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_source_edited_while_it_is_used_is_never_kept_under_the_old_key() {
    let Some(ground) = ground() else { return };
    let word = ground.repository(REPOSITORY).join("tests/word.py");
    let running = start(&ground, &["test", "::"]);
    // The test waits for a second after it has imported the module; the edit comes while it does, or before.
    std::thread::sleep(Duration::from_millis(400));
    fs::write(&word, "SAID = \"second\"\n").unwrap();
    let first = running.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", stderr(&first));
    let used = said(&ground);

    let second = run(&ground, &["test", "::"]);
    assert!(second.status.success(), "{}", stderr(&second));
    assert_eq!(said(&ground), "second", "the edited source has its own result");
    assert_eq!(used == "second", stderr(&second).contains("cached"), "{}", stderr(&second));

    fs::write(&word, "SAID = \"first\"\n").unwrap();
    let third = run(&ground, &["test", "::"]);
    assert_eq!(said(&ground), "first", "{}", stderr(&third));
}

#[test]
fn eight_runs_at_once_agree() {
    let Some(ground) = ground() else { return };
    let running: Vec<Child> = (0..8).map(|_| start(&ground, &["test", "::"])).collect();
    for run in running {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let after = run(&ground, &["test", "::"]);
    assert!(stderr(&after).contains("cached"), "{}", stderr(&after));
}

#[test]
fn a_damaged_blob_is_made_again_and_never_used() {
    let Some(ground) = ground() else { return };
    let cache = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let own = |args: &[&str]| {
        let mut command = ground.waders(REPOSITORY, args);
        command.env("XDG_CACHE_HOME", cache.path()).output().unwrap()
    };
    let first = own(&["test", "::"]);
    assert!(first.status.success(), "{}", stderr(&first));

    let damaged = damage(&cache.path().join("waders/blob"), "def test_tells_the_word");
    let again = own(&["test", "--test-force", "::"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(!fs::read_to_string(damaged).unwrap().contains("assert False"), "the damage is gone");

    let damaged =
        damage(&cache.path().join("waders/blob"), "# PYTHON_ARGCOMPLETE_OK\n\"\"\"pytest: unit and functional testing");
    let again = own(&["test", "--test-force", "::"]);
    assert!(again.status.success(), "a wheel is fetched again: {}", stderr(&again));
    assert!(!fs::read_to_string(damaged).unwrap().contains("assert False"), "the damage is gone");
}

/// Appends to the one blob that begins or continues with these words.
fn damage(blobs: &Path, words: &str) -> PathBuf {
    let begun = Instant::now();
    let files = fs::read_dir(blobs).unwrap().flatten().flat_map(|dir| fs::read_dir(dir.path()).unwrap().flatten());
    let holds = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(words));
    let path = files.map(|file| file.path()).find(holds);
    let path = path.unwrap_or_else(|| panic!("no blob holds `{words}` ({:?})", begun.elapsed()));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::File::options().append(true).open(&path).unwrap().write_all(b"\nassert False\n").unwrap();
    path
}
