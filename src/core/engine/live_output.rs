//! What a process prints while it runs, for users who ask for it: complete lines, each only once. Runners pass on the bytes as
//! they find them; what they did not find in time follows from the outcome.

use std::io::{Read, Seek, SeekFrom};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::action::Outcome;
use crate::base::Digest;
use crate::store::{self, Store};

/// A longer line is shown in parts, so that a process that prints no line end cannot fill the memory.
const LINE_BYTES: usize = 16 << 10;

/// The bytes that are read at once from a stored stream.
const BUFFER_BYTES: usize = 64 << 10;

/// A standard stream of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl OutputStream {
    /// Both streams.
    pub const BOTH: [OutputStream; 2] = [OutputStream::Stdout, OutputStream::Stderr];
}

/// Shows the lines of one process.
pub struct LiveOutput<'e> {
    show: &'e (dyn Fn(String) + Send + Sync),
    streams: Mutex<[Taken; 2]>,
}

/// What was taken from one stream.
#[derive(Default)]
struct Taken {
    bytes: u64,
    /// The beginning of a line whose end is still missing.
    line: Vec<u8>,
}

impl<'e> LiveOutput<'e> {
    /// Passes each line to `show`, without its end.
    pub fn new(show: &'e (dyn Fn(String) + Send + Sync)) -> LiveOutput<'e> {
        LiveOutput { show, streams: Mutex::default() }
    }

    /// Starts again, because the process does.
    pub fn restart(&self) {
        let mut streams = self.streams();
        for taken in streams.iter_mut() {
            self.end_line(taken);
            taken.bytes = 0;
        }
    }

    /// The number of bytes that were taken from a stream: the offset of the next ones.
    pub fn offset(&self, stream: OutputStream) -> u64 {
        self.streams()[stream as usize].bytes
    }

    /// Takes the next bytes of a stream.
    pub fn add(&self, stream: OutputStream, bytes: &[u8]) {
        let taken = &mut self.streams()[stream as usize];
        taken.bytes += bytes.len() as u64;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            taken.line.extend_from_slice(part);
            if part.ends_with(b"\n") || taken.line.len() >= LINE_BYTES {
                self.end_line(taken);
            }
        }
    }

    /// Takes what is left of a process that has ended.
    ///
    /// # Errors
    /// If the stored streams cannot be read.
    pub fn finish(&self, store: &Store, outcome: &Outcome) -> store::Result<()> {
        for (stream, digest) in OutputStream::BOTH.into_iter().zip([outcome.stdout, outcome.stderr]) {
            self.add_rest(store, stream, digest)?;
            self.end_line(&mut self.streams()[stream as usize]);
        }
        Ok(())
    }

    fn add_rest(&self, store: &Store, stream: OutputStream, digest: Digest) -> store::Result<()> {
        let offset = self.offset(stream);
        if offset >= digest.size_bytes() {
            return Ok(());
        }
        let failed = |source| store::Error::Io { tried: "read", path: "the output of a step".into(), source };
        let mut file = store.open_blob(digest)?;
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(()),
                count => self.add(stream, &buffer[..count]),
            }
        }
    }

    /// Shows the line so far. A progress display returns to its beginning within one line: the last of its states is shown.
    fn end_line(&self, taken: &mut Taken) {
        let line = std::mem::take(&mut taken.line);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if !line.is_empty() {
            (self.show)(text.rsplit('\r').next().unwrap_or_default().to_owned());
        }
    }

    /// Nothing that can panic runs while a stream is inconsistent, so a poisoned lock is still usable.
    fn streams(&self) -> MutexGuard<'_, [Taken; 2]> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::action::Exit;

    fn shown(use_output: impl FnOnce(&LiveOutput<'_>)) -> Vec<String> {
        let lines = Mutex::new(Vec::new());
        let show = |line| lines.lock().unwrap().push(line);
        use_output(&LiveOutput::new(&show));
        lines.into_inner().unwrap()
    }

    #[test]
    fn lines_are_shown_when_they_are_complete() {
        let lines = shown(|live| {
            live.add(OutputStream::Stdout, b"first\nand then ");
            live.add(OutputStream::Stderr, b"a warning\n");
            live.add(OutputStream::Stdout, b"another\r\n\n10 %\r100 %\nunfinished");
        });
        assert_eq!(lines, ["first", "a warning", "and then another", "", "100 %"]);
    }

    #[test]
    fn a_line_without_an_end_is_shown_in_parts() {
        let lines = shown(|live| (0..5).for_each(|_| live.add(OutputStream::Stdout, &[b'x'; LINE_BYTES / 2])));
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [LINE_BYTES, LINE_BYTES]);
    }

    #[test]
    fn what_was_not_seen_in_time_follows_from_the_outcome_and_nothing_is_shown_twice() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let outcome = Outcome {
            exit: Exit::Code(0),
            stdout: store.put("one\ntwo\nf\u{fc}nf".as_bytes()).unwrap(),
            stderr: store.put(b"").unwrap(),
            output: Digest::of(b""),
            wall: Duration::ZERO,
            max_rss_bytes: 0,
            attempts: 1,
            started_from: None,
            audit: None,
        };
        let lines = shown(|live| {
            live.add(OutputStream::Stdout, b"one\ntw");
            live.finish(&store, &outcome).unwrap();
            live.finish(&store, &outcome).unwrap();
        });
        assert_eq!(lines, ["one", "two", "f\u{fc}nf"]);
        let repeated = shown(|live| {
            live.add(OutputStream::Stdout, b"one\ntw");
            live.restart();
            live.finish(&store, &outcome).unwrap();
        });
        assert_eq!(repeated, ["one", "tw", "one", "two", "f\u{fc}nf"]);
    }
}
