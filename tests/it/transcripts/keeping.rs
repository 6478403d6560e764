//! What is kept and what is not: results under the key of the bytes that were used, never a damaged byte, and the same
//! for any number of runs at once.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// What the test said, as it was kept.
fn said(ground: &Ground) -> String {
    let path = ground.repository(REPOSITORY).join("dist/test/tests.word_test.py/said");
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_source_edited_while_it_is_used_is_never_kept_under_the_old_key() {
    let Some(ground) = Ground::running() else { return };
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
    let Some(ground) = Ground::running() else { return };
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
    let Some(ground) = Ground::running() else { return };
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

#[test]
fn a_linter_is_asked_only_about_files_that_are_not_known_to_be_well() {
    let Some(ground) = Ground::running() else { return };
    // Unlike all that an earlier run of this test has left in the store.
    let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let write = |file: &str, begin: &str| {
        let path = ground.repository("lint").join("src/app").join(file);
        fs::write(path, format!("{begin}\nNAME = {unique}\n")).unwrap();
    };
    let lint = |more: &[&str]| {
        let args = [&["lint", "--only=flake8"], more, &["src/app/first.py", "src/app/second.py"]].concat();
        let output = ground.waders("lint", &args).output().unwrap();
        (output.status.code(), stderr(&output))
    };
    let check = |more: &[&str], found: &[&str], anew: Option<usize>| {
        let (code, said) = lint(more);
        assert_eq!(code, Some(i32::from(!found.is_empty())), "{said}");
        let is_told = |file: &&&str| said.contains(&format!("{file}:"));
        assert_eq!(["src/app/first.py", "src/app/second.py"].iter().filter(is_told).count(), found.len(), "{said}");
        assert!(found.iter().all(|file| said.contains(&format!("{file}:1:"))), "{said}");
        assert_eq!(said.contains("of them changed"), anew.is_some(), "{said}");
        assert!(anew.is_none_or(|anew| said.contains(&format!("({anew} of them changed)"))), "{said}");
    };
    write("first.py", "FIRST = 1");
    write("second.py", "SECOND = 1");
    check(&[], &[], None);
    write("second.py", "import os");
    check(&[], &["src/app/second.py"], Some(1));
    write("first.py", "import sys");
    check(&[], &["src/app/first.py", "src/app/second.py"], None);
    write("second.py", "SECOND = 1");
    check(&[], &["src/app/first.py"], Some(1));
    // What was well under other settings is not known to be so under these.
    write("first.py", "FIRST = 1");
    check(&[], &[], None);
    check(&["--flake8-args=--max-line-length=5"], &["src/app/first.py", "src/app/second.py"], None);
    for file in ["first.py", "second.py"] {
        fs::remove_file(ground.repository("lint").join("src/app").join(file)).unwrap();
    }
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
