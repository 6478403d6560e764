//! What is known of a repository's files never makes an answer wrong: whatever is done to the files or to the index,
//! `dependencies` answers as it does with an empty store.
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

/// `m/a.py` imports one of `m/b.py` and `m/c.py`; all three statements are of one length.
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

    /// Waits until the files are so old that their stat data prove something, and runs once to fill the index.
    fn settle(&self) {
        std::thread::sleep(Duration::from_millis(300));
        self.answers();
        assert_eq!(self.packs().len(), 2, "of files and of directories");
    }

    fn packs(&self) -> Vec<PathBuf> {
        let packs = fs::read_dir(self.store().join("repository")).unwrap();
        let mut packs: Vec<PathBuf> = packs.map(|entry| entry.unwrap().path()).collect();
        packs.sort();
        packs
    }

    /// Of `files` or of `directories`.
    fn pack(&self, subject: &str) -> PathBuf {
        self.packs().into_iter().find(|pack| pack.to_string_lossy().ends_with(subject)).unwrap()
    }

    /// What a run says that comes upon an index with this done to it.
    fn damaged(&self, subject: &str, damage: impl Fn(&mut Vec<u8>)) -> Output {
        let pack = self.pack(subject);
        let mut bytes = fs::read(&pack).unwrap();
        damage(&mut bytes);
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, bytes).unwrap();
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

    fn answers(&self) -> String {
        said(&self.start().wait_with_output().unwrap())
    }

    /// The index has no part in this one.
    fn truth(&self) -> String {
        let fresh = tempfile::tempdir().unwrap();
        said(&self.command(fresh.path()).output().unwrap())
    }

    fn check(&self, module: &str) {
        assert_eq!(self.answers(), format!("m/{module}.py\n"));
        assert_eq!(self.truth(), format!("m/{module}.py\n"));
    }
}

fn source(module: &str) -> String {
    format!("import m.{module}\n")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_edit_of_the_same_size_is_seen_at_once() {
    let repository = Repository::new();
    for round in 0..12 {
        let module = MODULES[round % 2];
        repository.import(module);
        repository.check(module);
    }
}

#[test]
fn an_edit_whose_time_is_put_back_is_seen() {
    let repository = Repository::new();
    repository.settle();
    let path = repository.root().join("m/a.py");
    let mtime = fs::metadata(&path).unwrap().modified().unwrap();
    repository.import("c");
    File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(mtime)).unwrap();
    repository.check("c");
    // And a file that was moved there, old time and all.
    let other = repository.root().join("m/a.py.new");
    fs::write(&other, source("b")).unwrap();
    File::options().write(true).open(&other).unwrap().set_times(FileTimes::new().set_modified(mtime)).unwrap();
    fs::rename(&other, &path).unwrap();
    repository.check("b");
}

#[test]
fn a_damaged_index_is_set_aside_and_made_again() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("cut off", |bytes| bytes.truncate(bytes.len() / 2)),
        ("empty", Vec::clear),
        ("a flipped bit at the end", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("a flipped bit in a stamp", |bytes| bytes[100] ^= 0x40),
        ("something else", |bytes| *bytes = b"import everything".to_vec()),
    ];
    for (subject, (what, damage)) in ["files", "directories"].iter().flat_map(|subject| damages.map(|of| (subject, of)))
    {
        let repository = Repository::new();
        repository.settle();
        let output = repository.damaged(subject, damage);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("was damaged and is set aside"), "{subject} {what}: {told}");
        assert_eq!(said(&output), "m/b.py\n", "{subject} {what}");
        assert_eq!(repository.quarantined(), 1, "{subject} {what}");
        repository.check("b");
        assert_eq!((repository.quarantined(), repository.packs().len()), (1, 2), "{subject} {what}");
    }
}

#[test]
fn an_index_of_another_version_is_replaced_without_a_word() {
    for subject in ["files", "directories"] {
        let repository = Repository::new();
        repository.settle();
        let output = repository.damaged(subject, |bytes| bytes[12] += 1);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(said(&output), "m/b.py\n");
        assert_eq!(repository.quarantined(), 0);
        repository.check("b");
    }
}

#[test]
fn names_that_come_and_go_are_seen_at_once() {
    let repository = Repository::new();
    repository.settle();
    for round in 0..6 {
        fs::remove_file(repository.root().join("m/b.py")).unwrap();
        assert_eq!(repository.answers(), "");
        repository.write("m/b.py", "");
        repository.check("b");
        // Whether or not the directories are old enough to be remembered.
        std::thread::sleep(Duration::from_millis(if round % 2 == 0 { 300 } else { 0 }));
    }
    // A directory in the place of another one, with its times.
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
fn runs_at_once_that_are_killed_leave_the_answer_right() {
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
        assert_eq!(said(&run.wait_with_output().unwrap()), "m/c.py\n");
    }
    repository.settle();
    assert_eq!((repository.quarantined(), repository.packs().len()), (0, 2));
    assert_eq!(fs::read_dir(repository.store().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_branch_that_was_seen_before_is_known_by_its_content() {
    let repository = Repository::new();
    repository.settle();
    repository.import("c");
    repository.check("c");
    // The store is told that the text of the first branch imports something else: only so its answer can be `c`.
    let (old, lie) = (Digest::of(source("b").as_bytes()), parse_imports(source("c").as_bytes(), false));
    let store = Store::open(&repository.store()).unwrap();
    let kind = format!("imports-{IMPORTS_VERSION}");
    assert_eq!(store.payloads(&kind, &[old]).unwrap().len(), 1);
    store.save_payloads(&kind, &[(old, imports_bytes::to_bytes(&lie))]).unwrap();
    drop(store);
    repository.import("b");
    assert_eq!(repository.answers(), "m/c.py\n");
}

#[test]
fn a_file_that_is_gone_is_forgotten() {
    let repository = Repository::new();
    repository.write("m/a_long_name.py", "");
    repository.write("m/a.py", "import m.a_long_name");
    repository.settle();
    let holds = |name: &str| {
        let bytes = fs::read(repository.pack("files")).unwrap();
        bytes.windows(name.len()).any(|window| window == name.as_bytes())
    };
    assert!(holds("m/a_long_name.py"));
    fs::remove_file(repository.root().join("m/a_long_name.py")).unwrap();
    repository.import("c");
    repository.settle();
    assert!(holds("m/a.py") && !holds("m/a_long_name.py"));
}
