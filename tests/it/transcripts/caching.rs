//! Caching of results: the key is that of the bytes that were used, damaged bytes are never used, and concurrent runs agree.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::transcripts::workspace::Workspace;

const REPOSITORY: &str = "caching";

fn start(workspace: &Workspace, args: &[&str]) -> Child {
    let mut command = workspace.waders(REPOSITORY, args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn run(workspace: &Workspace, args: &[&str]) -> Output {
    start(workspace, args).wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The word that the test wrote to its extra output.
fn output_word(workspace: &Workspace) -> String {
    let path = workspace.repository(REPOSITORY).join("dist/test/tests.word_test.py/word");
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_result_is_never_cached_under_the_key_of_an_edited_source() {
    let Some(workspace) = Workspace::running() else { return };
    let word = workspace.repository(REPOSITORY).join("tests/word.py");
    let running = start(&workspace, &["test", "::"]);
    // The test sleeps for a second after importing the module; the edit happens during or before that time.
    std::thread::sleep(Duration::from_millis(400));
    fs::write(&word, "WORD = \"second\"\n").unwrap();
    let first = running.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", stderr(&first));
    let used = output_word(&workspace);

    let second = run(&workspace, &["test", "::"]);
    assert!(second.status.success(), "{}", stderr(&second));
    assert_eq!(output_word(&workspace), "second", "the edited source has its own result");
    assert_eq!(used == "second", stderr(&second).contains("cached"), "{}", stderr(&second));

    fs::write(&word, "WORD = \"first\"\n").unwrap();
    let third = run(&workspace, &["test", "::"]);
    assert_eq!(output_word(&workspace), "first", "{}", stderr(&third));
}

#[test]
fn eight_concurrent_runs_agree() {
    let Some(workspace) = Workspace::running() else { return };
    let running: Vec<Child> = (0..8).map(|_| start(&workspace, &["test", "::"])).collect();
    for run in running {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let after = run(&workspace, &["test", "::"]);
    assert!(stderr(&after).contains("cached"), "{}", stderr(&after));
}

#[test]
fn a_damaged_blob_is_replaced_and_never_used() {
    let Some(workspace) = Workspace::running() else { return };
    let cache = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let waders = |args: &[&str]| {
        let mut command = workspace.waders(REPOSITORY, args);
        command.env("XDG_CACHE_HOME", cache.path()).output().unwrap()
    };
    let first = waders(&["test", "::"]);
    assert!(first.status.success(), "{}", stderr(&first));

    let damaged = damage(&cache.path().join("waders/blob"), "def test_writes_the_word");
    let again = waders(&["test", "--test-force", "::"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(!fs::read_to_string(damaged).unwrap().contains("assert False"), "the blob is repaired");

    let rotten = rot(&cache.path().join("waders/blob"), "def test_writes_the_word");
    let again = waders(&["test", "--test-force", "::"]);
    assert!(again.status.success() && stderr(&again).contains("is damaged"), "{}", stderr(&again));
    assert!(fs::read_to_string(rotten).unwrap().contains("def test_writes_the_word"), "the blob is repaired");

    let damaged =
        damage(&cache.path().join("waders/blob"), "# PYTHON_ARGCOMPLETE_OK\n\"\"\"pytest: unit and functional testing");
    let again = waders(&["test", "--test-force", "::"]);
    assert!(again.status.success(), "a damaged wheel is downloaded again: {}", stderr(&again));
    assert!(!fs::read_to_string(damaged).unwrap().contains("assert False"), "the blob is repaired");
}

#[test]
fn a_linter_runs_only_on_files_that_are_not_known_to_be_clean() {
    let Some(workspace) = Workspace::running() else { return };
    // Distinguishes the files from those of earlier test runs, whose results are in the store.
    let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let write = |file: &str, begin: &str| {
        let path = workspace.repository("lint").join("src/app").join(file);
        fs::write(path, format!("{begin}\nNAME = {unique}\n")).unwrap();
    };
    let lint = |flags: &[&str]| {
        let args = [&["lint", "--only=flake8"], flags, &["src/app/first.py", "src/app/second.py"]].concat();
        let output = workspace.waders("lint", &args).output().unwrap();
        (output.status.code(), stderr(&output))
    };
    // `linted` is the number of files in a batch that had to be linted, if some of the batch were clean.
    let check = |flags: &[&str], found: &[&str], linted: Option<usize>| {
        let (code, output) = lint(flags);
        assert_eq!(code, Some(i32::from(!found.is_empty())), "{output}");
        let is_reported = |file: &&&str| output.contains(&format!("{file}:"));
        assert_eq!(
            ["src/app/first.py", "src/app/second.py"].iter().filter(is_reported).count(),
            found.len(),
            "{output}"
        );
        assert!(found.iter().all(|file| output.contains(&format!("{file}:1:"))), "{output}");
        assert_eq!(output.contains("of them changed"), linted.is_some(), "{output}");
        assert!(linted.is_none_or(|linted| output.contains(&format!("({linted} of them changed)"))), "{output}");
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
    // A file that is clean under some settings is not known to be clean under others.
    write("first.py", "FIRST = 1");
    check(&[], &[], None);
    check(&["--flake8-args=--max-line-length=5"], &["src/app/first.py", "src/app/second.py"], None);
    for file in ["first.py", "second.py"] {
        fs::remove_file(workspace.repository("lint").join("src/app").join(file)).unwrap();
    }
}

/// Damages the blob that contains these words by appending a line. Returns its path.
fn damage(blobs: &Path, words: &str) -> PathBuf {
    let path = find_blob(blobs, words);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::File::options().append(true).open(&path).unwrap().write_all(b"\nassert False\n").unwrap();
    path
}

/// Changes the first byte of `words` in a blob, but not the blob's metadata, as a failing disk does.
fn rot(blobs: &Path, words: &str) -> PathBuf {
    let path = find_blob(blobs, words);
    let at = fs::read_to_string(&path).unwrap().find(words).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(b"?", at as u64).unwrap();
    file.set_modified(metadata.modified().unwrap()).unwrap();
    file.set_permissions(metadata.permissions()).unwrap();
    path
}

fn find_blob(blobs: &Path, words: &str) -> PathBuf {
    let files = fs::read_dir(blobs).unwrap().flatten().flat_map(|dir| fs::read_dir(dir.path()).unwrap().flatten());
    let contains_words = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(words));
    let path = files.map(|file| file.path()).find(contains_words);
    path.unwrap_or_else(|| panic!("no blob contains `{words}`"))
}
