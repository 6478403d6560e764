//! Verifying traces: the files that a run read and its result. If the key and all files are unchanged, a later run uses the result
//! instead of planning again. The caller defines the key and the result. Each trace is one record file.
//!
//! ```text
//! key 32  count u32          number of observations, sorted by path
//! observation                length of the prefix that the path shares with the previous path u16, length of the rest u16, the
//!                            rest of the path, fingerprint 16
//! count u8  position u32 ..  the hot observations
//! result                     all remaining bytes
//! ```

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rayon::prelude::*;

use super::record_file::{HEADER_BYTES, Header, RecordFilePath};
use crate::base::Digest;
use crate::store::error::Result;
use crate::store::layout::Store;
use crate::tracked::{FileStamp, Observation};

const HEADER: Header = Header { magic: b"waders trace", version: 1 };

/// The number of traces of one repository. Each key has one slot, as in a direct-mapped cache; a later trace replaces an earlier
/// one in its slot.
const SLOTS: u8 = 32;

/// Number of most recently changed files that are checked first: they are the most likely to have changed again.
const HOT_FILES: usize = 32;

/// The first half of the hash of a stamp; zeros if the file could not be read.
type Fingerprint = [u8; 16];

/// The files that an earlier run read, and its result.
#[derive(Debug, Default)]
pub struct Trace {
    key: [u8; 32],
    /// All paths, concatenated.
    paths: Vec<u8>,
    /// For each observation, the end of its path in `paths`, and the fingerprint of the file.
    observations: Vec<(usize, Fingerprint)>,
    /// Positions of the observations that are checked first.
    hot: Vec<usize>,
    result: Vec<u8>,
}

impl Trace {
    /// Whether all files are unchanged.
    pub fn is_unchanged(&self) -> bool {
        let is_same = |position: usize| {
            let Some(path) = self.path(position) else { return false };
            let Some((_, before)) = self.observations.get(position) else { return false };
            fingerprint(fs::metadata(path).ok().as_ref().map(FileStamp::from_metadata)) == *before
        };
        self.hot.iter().all(|position| is_same(*position)) && (0..self.observations.len()).into_par_iter().all(is_same)
    }

    /// The path of the observation at a position.
    pub fn path(&self, position: usize) -> Option<&Path> {
        let start = position.checked_sub(1).map_or(Some(0), |before| Some(self.observations.get(before)?.0))?;
        let path = self.paths.get(start..self.observations.get(position)?.0)?;
        Some(Path::new(OsStr::from_bytes(path)))
    }

    /// The result in the caller's format.
    pub fn result(&self) -> &[u8] {
        &self.result
    }

    /// Verifies the bytes of a file. Bytes of another version yield an empty trace; damaged bytes are an error.
    fn parse(bytes: &[u8]) -> std::result::Result<Trace, String> {
        if !HEADER.check(bytes)? {
            return Ok(Trace::default());
        }
        Reader(&bytes[HEADER_BYTES..]).trace().ok_or_else(|| "it is truncated".to_owned())
    }
}

/// Reads values in sequence. Each method returns `None` if too few bytes are left.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn bytes(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn trace(mut self) -> Option<Trace> {
        let mut trace = Trace { key: self.array()?, ..Trace::default() };
        let mut start = 0;
        for _ in 0..u32::from_le_bytes(self.array()?) {
            let (shared, own) = (u16::from_le_bytes(self.array()?), u16::from_le_bytes(self.array()?));
            let end = trace.paths.len();
            trace.paths.get(start..)?.get(..usize::from(shared))?;
            trace.paths.extend_from_within(start..start + usize::from(shared));
            trace.paths.extend(self.bytes(usize::from(own))?);
            trace.observations.push((trace.paths.len(), self.array()?));
            start = end;
        }
        let [count] = self.array()?;
        for _ in 0..count {
            trace.hot.push(usize::try_from(u32::from_le_bytes(self.array()?)).ok()?);
        }
        trace.result = self.0.to_vec();
        Some(trace)
    }
}

impl Store {
    /// The trace with this key of the checkout at `root`.
    pub fn load_trace(&self, root: &Path, key: &Digest) -> Result<Option<Trace>> {
        self.note_use_of_checkout(root)?;
        let trace = self.load_record_file(&self.trace_path(root, key), |bytes| Trace::parse(&bytes))?;
        Ok((trace.key == *key.hash()).then_some(trace))
    }

    /// Stores a trace. `observations` are sorted by path, without duplicates. A trace that exceeds the limits of the format is
    /// not stored.
    pub fn store_trace(&self, root: &Path, key: &Digest, observations: &[Observation], result: &[u8]) -> Result<()> {
        match encode(key, observations, result) {
            Some(bytes) => self.publish_record_file(&self.trace_path(root, key), &bytes),
            None => Ok(()),
        }
    }

    fn trace_path(&self, root: &Path, key: &Digest) -> RecordFilePath {
        let [first, ..] = key.hash();
        self.record_file_path(root, &format!("trace-{:02}", first % SLOTS))
    }
}

/// The bytes of a file; `None` if they exceed the limits of the format.
fn encode(key: &Digest, observations: &[Observation], result: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = [HEADER.encode_unsealed().as_slice(), key.hash()].concat();
    bytes.extend(u32::try_from(observations.len()).ok()?.to_le_bytes());
    let mut before: &[u8] = b"";
    for (path, stamp) in observations {
        let path = path.as_os_str().as_bytes();
        let shared = shared_len(before, path);
        bytes.extend(u16::try_from(shared).ok()?.to_le_bytes());
        bytes.extend(u16::try_from(path.len() - shared).ok()?.to_le_bytes());
        bytes.extend(&path[shared..]);
        bytes.extend(fingerprint(*stamp));
        before = path;
    }
    let hot = hot_positions(observations);
    bytes.push(u8::try_from(hot.len()).ok()?);
    for position in hot {
        bytes.extend(u32::try_from(position).ok()?.to_le_bytes());
    }
    bytes.extend(result);
    Header::seal(&mut bytes);
    Some(bytes)
}

/// The length of the common prefix.
fn shared_len(one: &[u8], other: &[u8]) -> usize {
    // Compares eight bytes at a time, because consecutive paths share most of their bytes.
    let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let whole = words.take_while(|(one, other)| one == other).count() * 8;
    whole + one[whole..].iter().zip(&other[whole..]).take_while(|(one, other)| one == other).count()
}

/// The positions of the most recently changed files.
fn hot_positions(observations: &[Observation]) -> Vec<usize> {
    let changed = |position: &usize| std::cmp::Reverse(observations[*position].1.map(|stamp| stamp.changed_ns()));
    let mut positions: Vec<usize> = (0..observations.len()).collect();
    if positions.len() > HOT_FILES {
        positions.select_nth_unstable_by_key(HOT_FILES, changed);
        positions.truncate(HOT_FILES);
    }
    positions
}

fn fingerprint(stamp: Option<FileStamp>) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    // Zeros represent a file that could not be read: no stamp is known to have this hash.
    if let Some(stamp) = stamp {
        fingerprint.copy_from_slice(&blake3::hash(&stamp.to_bytes()).as_bytes()[..16]);
    }
    fingerprint
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn observe(path: PathBuf) -> Observation {
        let stamp = fs::metadata(&path).ok().as_ref().map(FileStamp::from_metadata);
        (path, stamp)
    }

    #[test]
    fn a_trace_is_unchanged_until_a_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let root = dir.path().join("root");
        // More files than are checked first.
        fs::create_dir_all(root.join("many")).unwrap();
        let many: Vec<PathBuf> = (10..99).map(|number| root.join(format!("many/{number}"))).collect();
        many.iter().for_each(|path| fs::write(path, "").unwrap());
        fs::write(root.join("a"), "text").unwrap();
        let key = Digest::of(b"key");
        let store_trace = || {
            let paths = [root.join("a"), root.join("b")].into_iter().chain(many.clone());
            store.store_trace(&root, &key, &paths.map(observe).collect::<Vec<_>>(), b"result").unwrap();
        };
        let trace = || store.load_trace(&root, &key).unwrap().unwrap();
        store_trace();
        assert!(trace().is_unchanged());
        assert_eq!(
            (trace().result(), trace().path(1), trace().path(91)),
            (b"result".as_slice(), Some(root.join("b").as_path()), None)
        );
        fs::write(root.join("b"), "new").unwrap();
        assert!(!trace().is_unchanged(), "a missing file was created");
        store_trace();
        assert!(trace().is_unchanged());
        for path in [&root.join("a"), &many[0], &many[88]] {
            fs::write(path, "longer text").unwrap();
            assert!(!trace().is_unchanged(), "{} was changed", path.display());
            store_trace();
            assert!(trace().is_unchanged());
        }
        fs::remove_file(&many[44]).unwrap();
        assert!(!trace().is_unchanged(), "a file was removed");
        assert!(store.load_trace(dir.path(), &key).unwrap().is_none());
        assert!(store.load_trace(&root, &Digest::of(b"other")).unwrap().is_none());
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_detected() {
        let observations = ["/a/b", "/a/c", "/d"].map(|path| observe(path.into()));
        let key = Digest::of(b"key");
        let whole = encode(&key, &observations, b"result").unwrap();
        let trace = Trace::parse(&whole).unwrap();
        assert_eq!((trace.path(0), trace.path(2)), (Some(Path::new("/a/b")), Some(Path::new("/d"))));
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                // A flipped bit in the version makes it another version, which yields an empty trace.
                let is_detected = Trace::parse(&flipped).map_or(true, |trace| trace.key != *key.hash());
                assert!(is_detected, "byte {at} bit {bit}");
            }
            assert!(Trace::parse(&whole[..at]).is_err(), "cut at {at}");
            assert!(
                at < HEADER_BYTES || Reader(&whole[HEADER_BYTES..at]).trace().is_none_or(|cut| cut.result.len() < 6),
                "cut at {at}"
            );
        }
    }
}
