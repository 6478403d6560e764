//! The recorded state of a repository never makes a result wrong: after any change to the sources or damage to the record files,
//! `dependencies` prints the same as with an empty store.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::fs::{File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use waders::base::Digest;
use waders::inference::imports::IMPORTS_VERSION;
use waders::inference::{imports_bytes, parse_imports};
use waders::store::Store;

/// `m/a.py` imports either `m/b.py` or `m/c.py`. Both import statements have the same length.
const MODULES: [&str; 2] = ["b", "c"];

struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new() -> Repository {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/m")).unwrap();
        let repository = Repository { dir };
        repository.write("pants.toml", "[GLOBAL]\nbackend_packages = ['pants.backend.python']\n");
        repository.write("m/BUILD", "python_sources()\n");
        repository.write("m/b.py", "");
        repository.write("m/c.py", "");
        repository.import("b");
        repository
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("cache/waders")
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.root().join(file), text).unwrap();
    }

    fn import(&self, module: &str) {
        self.write("m/a.py", &source(module));
    }

    /// Waits until the files are old enough for their metadata to be recorded, and runs once to write the record files.
    fn settle(&self) {
        std::thread::sleep(Duration::from_millis(300));
        self.output();
        assert_eq!(self.record_files().len(), 2, "one of files and one of directories");
    }

    fn record_files(&self) -> Vec<PathBuf> {
        let record_files = fs::read_dir(self.store().join("repository")).unwrap();
        let mut record_files: Vec<PathBuf> = record_files.map(|entry| entry.unwrap().path()).collect();
        record_files.sort();
        record_files
    }

    /// The record file of `files` or of `directories`.
    fn record_file(&self, subject: &str) -> PathBuf {
        self.record_files().into_iter().find(|record_file| record_file.to_string_lossy().ends_with(subject)).unwrap()
    }

    /// The output of a run after a record file was damaged.
    fn damaged(&self, subject: &str, damage: impl Fn(&mut Vec<u8>)) -> Output {
        let record_file = self.record_file(subject);
        let mut bytes = fs::read(&record_file).unwrap();
        damage(&mut bytes);
        fs::remove_file(&record_file).unwrap();
        fs::write(&record_file, bytes).unwrap();
        self.start().wait_with_output().unwrap()
    }

    fn quarantined(&self) -> usize {
        fs::read_dir(self.store().join("quarantine")).unwrap().count()
    }

    fn command(&self, cache: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waders"));
        command.args(["dependencies", "m/a.py"]).current_dir(self.root()).env_clear();
        command.env("XDG_CACHE_HOME", cache).env("HOME", self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Child {
        self.command(&self.dir.path().join("cache")).spawn().unwrap()
    }

    fn output(&self) -> String {
        stdout(&self.start().wait_with_output().unwrap())
    }

    /// The output of a run with an empty store.
    fn expected(&self) -> String {
        let fresh = tempfile::tempdir().unwrap();
        stdout(&self.command(fresh.path()).output().unwrap())
    }

    fn check(&self, module: &str) {
        assert_eq!(self.output(), format!("m/{module}.py\n"));
        assert_eq!(self.expected(), format!("m/{module}.py\n"));
    }
}

fn source(module: &str) -> String {
    format!("import m.{module}\n")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_edit_of_the_same_size_is_detected_immediately() {
    let repository = Repository::new();
    for round in 0..12 {
        let module = MODULES[round % 2];
        repository.import(module);
        repository.check(module);
    }
}

#[test]
fn an_edit_with_a_restored_modification_time_is_detected() {
    let repository = Repository::new();
    repository.settle();
    let path = repository.root().join("m/a.py");
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    repository.import("c");
    File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(mtime)).unwrap();
    repository.check("c");
    // A file with the old modification time replaces it.
    let other = repository.root().join("m/a.py.new");
    fs::write(&other, source("b")).unwrap();
    File::options().write(true).open(&other).unwrap().set_times(FileTimes::new().set_modified(mtime)).unwrap();
    fs::rename(&other, &path).unwrap();
    repository.check("b");
}

#[test]
fn a_damaged_record_file_is_quarantined_and_replaced() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("truncated", |bytes| bytes.truncate(bytes.len() / 2)),
        ("empty", Vec::clear),
        ("a flipped bit at the end", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("a flipped bit in a stamp", |bytes| bytes[100] ^= 0x40),
        ("another format", |bytes| *bytes = b"import everything".to_vec()),
    ];
    for (subject, (what, damage)) in
        ["files", "directories"].iter().flat_map(|subject| damages.map(|damage| (subject, damage)))
    {
        let repository = Repository::new();
        repository.settle();
        let output = repository.damaged(subject, damage);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains("is damaged and was moved to"), "{subject} {what}: {stderr}");
        assert_eq!(stdout(&output), "m/b.py\n", "{subject} {what}");
        assert_eq!(repository.quarantined(), 1, "{subject} {what}");
        repository.check("b");
        assert_eq!((repository.quarantined(), repository.record_files().len()), (1, 2), "{subject} {what}");
    }
}

#[test]
fn a_record_file_of_another_version_is_replaced_without_a_message() {
    for subject in ["files", "directories"] {
        let repository = Repository::new();
        repository.settle();
        let output = repository.damaged(subject, |bytes| bytes[12] += 1);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(stdout(&output), "m/b.py\n");
        assert_eq!(repository.quarantined(), 0);
        repository.check("b");
    }
}

#[test]
fn added_and_removed_files_are_detected_immediately() {
    let repository = Repository::new();
    repository.settle();
    for round in 0..6 {
        fs::remove_file(repository.root().join("m/b.py")).unwrap();
        assert_eq!(repository.output(), "");
        repository.write("m/b.py", "");
        repository.check("b");
        // Both with and without directories that are old enough to be recorded.
        std::thread::sleep(Duration::from_millis(if round % 2 == 0 { 300 } else { 0 }));
    }
    // A directory with the same modification time replaces another one.
    let (old, new) = (repository.root().join("m"), repository.root().join("n"));
    fs::create_dir(&new).unwrap();
    fs::write(new.join("BUILD"), "python_sources()\n").unwrap();
    fs::write(new.join("a.py"), source("c")).unwrap();
    fs::write(new.join("c.py"), "").unwrap();
    let mtime = fs::metadata(&old).unwrap().modified().unwrap();
    fs::rename(&old, repository.root().join(".old")).unwrap();
    fs::rename(&new, &old).unwrap();
    File::open(&old).unwrap().set_times(FileTimes::new().set_modified(mtime)).unwrap();
    repository.check("c");
}

#[test]
fn killed_concurrent_runs_leave_a_correct_state() {
    let repository = Repository::new();
    repository.settle();
    for round in 0..30_u64 {
        let module = MODULES[usize::from(round % 2 == 0)];
        repository.import(module);
        let mut runs: Vec<Child> = (0..3).map(|_| repository.start()).collect();
        std::thread::sleep(Duration::from_millis(round * 3));
        for run in &mut runs {
            run.kill().unwrap();
            run.wait().unwrap();
        }
        if round % 5 == 0 {
            repository.check(module);
        }
    }
    repository.import("c");
    let runs: Vec<Child> = (0..4).map(|_| repository.start()).collect();
    for run in runs {
        assert_eq!(stdout(&run.wait_with_output().unwrap()), "m/c.py\n");
    }
    repository.settle();
    assert_eq!((repository.quarantined(), repository.record_files().len()), (0, 2));
    assert_eq!(fs::read_dir(repository.store().join("tmp")).unwrap().count(), 0);
}

#[test]
fn the_imports_of_known_content_are_reused() {
    let repository = Repository::new();
    repository.settle();
    repository.import("c");
    repository.check("c");
    // Wrong imports are stored for the original content. The output `c` then proves that they are reused.
    let (old, wrong) = (Digest::of(source("b").as_bytes()), parse_imports(source("c").as_bytes(), false));
    let store = Store::open(&repository.store()).unwrap();
    let kind = format!("imports-{IMPORTS_VERSION}");
    assert_eq!(store.notes(&kind, &[old]).unwrap().len(), 1);
    store.save_notes(&kind, &[(old, imports_bytes::to_bytes(&wrong))]).unwrap();
    drop(store);
    repository.import("b");
    assert_eq!(repository.output(), "m/c.py\n");
}

#[test]
fn the_record_of_a_removed_file_is_dropped() {
    let repository = Repository::new();
    repository.write("m/a_long_name.py", "");
    repository.write("m/a.py", "import m.a_long_name");
    repository.settle();
    let contains = |name: &str| {
        let bytes = fs::read(repository.record_file("files")).unwrap();
        bytes.windows(name.len()).any(|window| window == name.as_bytes())
    };
    assert!(contains("m/a_long_name.py"));
    fs::remove_file(repository.root().join("m/a_long_name.py")).unwrap();
    repository.import("c");
    repository.settle();
    assert!(contains("m/a.py") && !contains("m/a_long_name.py"));
}
