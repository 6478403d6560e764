//! The output directory and the standard streams of a process, on the host, and how they are captured in the store. How they
//! are mounted is in `request`.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use waders_sandbox::Streams;

use crate::action::{Action, Incremental};
use crate::base::{Digest, sandbox_paths};
use crate::engine::local::incremental;
use crate::engine::local::runner::SandboxVariation;
use crate::engine::{Error, LiveOutput, OutputStream};
use crate::store::{self, Batch, CaptureLimits, Scratch, Store};

/// A file system with less free space counts as full. It need not be 0, because programs remove files that they could not
/// write completely.
const FULL_BELOW_BYTES: u64 = 4 << 20;

/// The largest standard output or standard error that is stored as a whole. Without a limit, a process in an endless loop
/// would fill the store.
const STREAM_BYTES: u64 = 1 << 30;

/// The bytes that are read at once from a running process.
const BUFFER_BYTES: usize = 64 << 10;

/// The places where one attempt writes.
pub(super) struct Output {
    scratch: Scratch,
    /// The output directory.
    pub dir: PathBuf,
    /// Directories for temporary files by mount point, where they are not in memory.
    pub disk_scratch: BTreeMap<&'static str, PathBuf>,
    stdout: File,
    stderr: File,
}

/// The captured output of one attempt.
pub(super) struct Captured {
    /// The blob of standard output.
    pub stdout: Digest,
    /// The blob of standard error.
    pub stderr: Digest,
    /// The tree of the output directory.
    pub output: Digest,
    /// The tree of the new incremental state, if the tool wrote one.
    pub state: Option<Digest>,
}

impl Output {
    /// Creates an empty output directory with the directories that the action's mounts need, and empty files for its streams.
    pub(super) fn create(store: &Store, action: &Action, variation: SandboxVariation) -> Result<Output, Error> {
        let scratch = store.scratch()?;
        let failed = |source| Error::Prepare { path: scratch.path().to_owned(), source };
        let dir = scratch.path().join("out");
        fs::create_dir(&dir).map_err(failed)?;
        for mounted in action.command.outputs_at.values() {
            fs::create_dir_all(mounted.to_path(&dir)).map_err(failed)?;
        }
        if let Some(incremental) = &action.policy.incremental {
            create_open_dir(&incremental.state_out.to_path(&dir)).map_err(failed)?;
        }
        let mut disk_scratch = BTreeMap::new();
        if variation.scratch_on_disk {
            for (at, name) in [(sandbox_paths::TMP, "tmp"), (sandbox_paths::HOME, "home")] {
                let dir = scratch.path().join(name);
                fs::create_dir(&dir).map_err(failed)?;
                if at == sandbox_paths::TMP {
                    fs::set_permissions(&dir, Permissions::from_mode(0o1777)).map_err(failed)?;
                }
                disk_scratch.insert(at, dir);
            }
        }
        let (stdout, stderr) =
            (unnamed_file(scratch.path()).map_err(failed)?, unnamed_file(scratch.path()).map_err(failed)?);
        Ok(Output { scratch, dir, disk_scratch, stdout, stderr })
    }

    /// The standard streams of the process: its channel to the planner or nothing to read, and files to write. If the process
    /// has the terminal, they are the caller's own.
    pub(super) fn streams(&self, action: &Action) -> Result<Streams, Error> {
        let streams = match action.command.terminal {
            true => (io::stdout().as_fd().try_clone_to_owned(), io::stderr().as_fd().try_clone_to_owned()),
            false => (self.stdout.as_fd().try_clone_to_owned(), self.stderr.as_fd().try_clone_to_owned()),
        };
        let failed = |source| Error::Prepare { path: self.scratch.path().to_owned(), source };
        let stdin =
            action.policy.channel.as_ref().map(|channel| channel.socket().try_clone()).transpose().map_err(failed)?;
        Ok(Streams { stdin, stdout: streams.0.map_err(failed)?, stderr: streams.1.map_err(failed)? })
    }

    /// Shows what the process has printed since the last call. What cannot be read now is read when the process has ended.
    pub(super) fn show_new(&self, live: &LiveOutput<'_>) {
        let mut buffer = vec![0; BUFFER_BYTES];
        for (stream, file) in OutputStream::BOTH.into_iter().zip([&self.stdout, &self.stderr]) {
            while let Ok(count @ 1..) = file.read_at(&mut buffer, live.offset(stream)) {
                live.add(stream, &buffer[..count]);
            }
        }
    }

    /// Returns an error if the disk is full, for a process that failed: the full disk may be the reason, and the process may
    /// have been unable to report it.
    pub(super) fn refuse_full_disk(&self) -> Result<(), Error> {
        let path = self.scratch.path();
        let free_bytes = rustix::fs::statvfs(path).map_or(u64::MAX, |disk| disk.f_bavail * disk.f_frsize);
        if free_bytes >= FULL_BELOW_BYTES {
            return Ok(());
        }
        Err(Error::Store(store::Error::Full { path: path.to_owned(), source: io::ErrorKind::StorageFull.into() }))
    }

    /// Captures everything in one batch, because each commit waits for the disk. `started_from` is the state that the process
    /// started from.
    pub(super) fn capture(
        mut self,
        store: &Store,
        incremental: Option<&Incremental>,
        started_from: Option<Digest>,
    ) -> store::Result<Captured> {
        let batch = store.batch();
        // An error is ignored: without a state, the next run only takes longer.
        let state = incremental
            .and_then(|incremental| capture_state(store, &batch, &self.scratch, incremental, started_from).ok());
        let stdout = put_stream(&batch, &mut self.stdout, "standard output", STREAM_BYTES)?;
        let stderr = put_stream(&batch, &mut self.stderr, "standard error", STREAM_BYTES)?;
        let output = batch.capture(&self.dir, &CaptureLimits::default())?;
        batch.commit()?;
        Ok(Captured { stdout, stderr, output, state })
    }
}

/// Stores a stream. If it has more than `limit_bytes`, its middle is replaced by a line with the number of omitted bytes.
fn put_stream(batch: &Batch<'_>, file: &mut File, name: &str, limit_bytes: u64) -> store::Result<Digest> {
    let failed = |source| store::Error::Io { tried: "read", path: name.into(), source };
    let size_bytes = file.seek(io::SeekFrom::End(0)).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if size_bytes <= limit_bytes {
        return batch.put_reader(file, Path::new(name), false);
    }
    let half = limit_bytes / 2;
    let omitted = size_bytes - 2 * half;
    let notice = format!("\n[{omitted} bytes were not stored: the output has more than {limit_bytes} bytes]\n");
    let file: &File = file;
    let tail = Tail { file, at: size_bytes - half };
    batch.put_reader(file.take(half).chain(notice.as_bytes()).chain(tail), Path::new(name), false)
}

/// Reads a file from an offset of its own to the end.
struct Tail<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Captures the new state after moving it out of the output directory, because it is not part of the result.
fn capture_state(
    store: &Store,
    batch: &Batch<'_>,
    scratch: &Scratch,
    incremental: &Incremental,
    started_from: Option<Digest>,
) -> store::Result<Digest> {
    let (from, to) = (incremental.state_out.to_path(&scratch.path().join("out")), scratch.path().join("state"));
    let moved = fs::rename(&from, &to);
    moved.map_err(|source| store::Error::Io { tried: "move", path: from, source })?;
    incremental::capture(store, batch, &to, incremental, started_from)
}

/// Creates a file without a name on the host, so that a process cannot read its path from the descriptor.
fn unnamed_file(dir: &Path) -> io::Result<File> {
    let path = dir.join("stream");
    let file = File::options().read(true).append(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Creates a directory to which every user may write. If the caller is root, the sandbox runs as another user, who owns only
/// the mounted directories. Other users of the host cannot reach the directory, because the root of the store is private.
fn create_open_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o777))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_stream_above_the_limit_is_stored_without_its_middle() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let mut stream = unnamed_file(dir.path()).unwrap();
        stream.write_all(b"beginning, middle, end").unwrap();
        let mut stored = |limit_bytes| {
            let batch = store.batch();
            let digest = put_stream(&batch, &mut stream, "standard output", limit_bytes).unwrap();
            batch.commit().unwrap();
            String::from_utf8(store.get(digest).unwrap()).unwrap()
        };
        assert_eq!(stored(22), "beginning, middle, end");
        assert_eq!(stored(6), "beg\n[16 bytes were not stored: the output has more than 6 bytes]\nend");
    }
}
