//! Shared fixtures: the spawner, temporary directories, and requests for Python programs with the host's `/usr`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::stat::{Mode, umask};
use tempfile::TempDir;
use waders_sandbox::{
    Error, Exit, Isolation, Limits, Mount, MountKind, Network, Outcome, Request, Running, Spawner, Stdio, TreeEntry,
};

pub const PYTHON: &str = "/usr/bin/python3";

/// Returns the spawner of the whole suite: a real run has one, too.
pub fn spawner() -> &'static Spawner {
    static SPAWNER: OnceLock<Spawner> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        // The umask of the user must not reach the steps.
        let before = umask(Mode::from_bits_truncate(0o077));
        let spawner = Spawner::start().unwrap();
        umask(before);
        spawner
    })
}

/// Returns why the suite cannot run on this machine, or `None` if it can.
pub fn unsupported() -> Option<String> {
    if !Path::new(PYTHON).exists() {
        return Some(format!("`{PYTHON}`, which runs the probes, is missing"));
    }
    spawner().kernel().namespaces.as_ref().err().map(|error| format!("{error}; {}", error.remedy))
}

/// A temporary directory that every user of the machine may enter.
pub struct SharedTempDir(TempDir);

impl SharedTempDir {
    pub fn new() -> SharedTempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        SharedTempDir(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn dir(&self, name: &str) -> PathBuf {
        let dir = self.path().join(name);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// Copies the probes, so that an ordinary user can read them even if the source tree is private.
    pub fn copy_probes(&self) -> PathBuf {
        for kind in ["escape", "allowed"] {
            let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(kind), self.dir(kind));
            for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        self.path().to_owned()
    }
}

pub fn read_only(at: &str, source: impl Into<PathBuf>) -> Mount {
    Mount { at: at.into(), kind: MountKind::ReadOnly { source: source.into() } }
}

pub fn writable(at: &str, source: impl Into<PathBuf>) -> Mount {
    Mount { at: at.into(), kind: MountKind::Writable { source: source.into() } }
}

pub fn copied(at: &str, source: impl Into<PathBuf>) -> Mount {
    copied_with(at, source, 64 << 20)
}

/// A copied tree to which the step can add `more_bytes`.
pub fn copied_with(at: &str, source: impl Into<PathBuf>, more_bytes: u64) -> Mount {
    let source = source.into();
    let entries = list_entries(&source);
    copied_entries(at, source, entries, (more_bytes, 10_000))
}

/// A copied tree of these entries, to which the step can add a number of bytes and of files.
pub fn copied_entries(
    at: &str,
    source: PathBuf,
    entries: BTreeMap<String, TreeEntry>,
    (more_bytes, more_inodes): (u64, u64),
) -> Mount {
    let kind =
        MountKind::Copied { source, entries, reversed: false, read_only: false, modified: 1, more_bytes, more_inodes };
    Mount { at: at.into(), kind }
}

/// Lists everything below a directory.
fn list_entries(root: &Path) -> BTreeMap<String, TreeEntry> {
    let mut entries = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let (meta, name) = (fs::symlink_metadata(&path).unwrap(), path.strip_prefix(root).unwrap());
            let name = name.to_str().unwrap().to_owned();
            let entry = if meta.is_dir() {
                let is_empty = fs::read_dir(&path).unwrap().next().is_none();
                pending.push(path);
                if !is_empty {
                    continue;
                }
                TreeEntry::Directory
            } else if meta.is_symlink() {
                TreeEntry::Symlink { target: fs::read_link(&path).unwrap().to_str().unwrap().to_owned() }
            } else {
                let executable = meta.permissions().mode() & 0o100 != 0;
                TreeEntry::File { from: name.clone(), size_bytes: meta.len(), executable, blake3: None }
            };
            entries.insert(name, entry);
        }
    }
    entries
}

pub fn scratch(at: &str) -> Mount {
    Mount { at: at.into(), kind: MountKind::Scratch { bytes: 64 << 20, inodes: 10_000 } }
}

pub fn limits() -> Limits {
    Limits {
        timeout: Some(Duration::from_secs(60)),
        grace: Duration::from_secs(1),
        processes: 64,
        open_files: 1024,
        file_bytes: 1 << 30,
        memory_bytes: None,
        process_memory_bytes: None,
    }
}

pub fn request(argv: &[&str]) -> Request {
    let env = [
        ("HOME", "/home/waders"),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/bin"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONHASHSEED", "0"),
        ("TMPDIR", "/tmp"),
        ("TZ", "UTC"),
    ];
    Request {
        argv: argv.iter().map(ToString::to_string).collect(),
        env: BTreeMap::from(env.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        cwd: "/tmp".into(),
        mounts: vec![read_only("/usr", "/usr"), scratch("/tmp"), scratch("/home/waders")],
        network: Network::Loopback,
        limits: limits(),
        isolation: Isolation::Full,
        stdio: Stdio::Captured,
        audit: false,
    }
}

pub fn python(code: &str) -> Request {
    request(&[PYTHON, "-c", code])
}

/// A started step and the file that its output is written to.
pub struct Step {
    pub running: Running,
    output: File,
}

pub fn start(request: &Request) -> Result<Step, Error> {
    start_with(spawner(), request)
}

pub fn start_with(spawner: &Spawner, request: &Request) -> Result<Step, Error> {
    let output = tempfile::tempfile().unwrap();
    let copy = || OwnedFd::from(output.try_clone().unwrap());
    Ok(Step { running: spawner.run(request, copy(), copy())?, output })
}

impl Step {
    pub fn wait(mut self) -> (Result<Outcome, Error>, String) {
        let outcome = self.running.wait();
        (outcome, self.output_so_far())
    }

    pub fn output_so_far(&mut self) -> String {
        let mut bytes = Vec::new();
        self.output.rewind().unwrap();
        self.output.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the step's output contains `text`.
    pub fn wait_for_output(&mut self, text: &str) {
        for _ in 0..600 {
            // Read by offset: rewinding would also move the step's write position, which the descriptors share.
            if self.peek().contains(text) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the output does not contain `{text}`: {}", self.peek());
    }

    fn peek(&self) -> String {
        use std::os::unix::fs::FileExt;
        let mut bytes = vec![0; 1 << 16];
        let length = self.output.read_at(&mut bytes, 0).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}

pub fn run(request: &Request) -> (Result<Outcome, Error>, String) {
    start(request).unwrap().wait()
}

/// Asserts that the request succeeds and returns its output.
pub fn succeed(request: &Request) -> String {
    let (outcome, output) = run(request);
    let outcome = outcome.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(outcome.exit, Exit::Code(0), "{output}");
    assert_eq!(outcome.isolation, request.isolation);
    output
}

pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
