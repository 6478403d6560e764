//! What runs looked at in one repository and what they came to, so that a run that would see the same is spared. Which
//! questions there are and what answers mean is the caller's matter. A file each, as `known` has them.
//!
//! ```text
//! question 32  count u32                             how many looks follow, sorted by path
//! look                                               how many bytes the path shares with the one before u16, how many
//!                                                    follow u16, those bytes, what stands for the stamp 16
//! count u8  place u32 each                           the looks at what changed last
//! answer                                             the rest
//! ```

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rayon::prelude::*;

use super::record_file::{HEAD, Head, Place};
use crate::base::Digest;
use crate::store::error::Result;
use crate::store::layout::Store;
use crate::tracked::{FileStamp, Observation};

const HEAD_OF_TRACE: Head = Head { magic: b"waders trace", version: 1 };

/// So many traces are kept of one repository. Each question has one place, as in a direct-mapped cache: whoever comes
/// later takes it.
const PLACES: u8 = 32;

/// So many of what changed last is looked at first: it is the likeliest to have changed again.
const RESTLESS: usize = 32;

/// What stands for a stamp: enough of its hash that nobody meets two alike.
type Mark = [u8; 16];

/// What an earlier run looked at, and its answer.
#[derive(Debug, Default)]
pub struct Trace {
    question: [u8; 32],
    /// All paths, one after the other.
    paths: Vec<u8>,
    /// Where in `paths` the path of a look ends, and what was seen there.
    looks: Vec<(usize, Mark)>,
    restless: Vec<usize>,
    answer: Vec<u8>,
}

impl Trace {
    /// Whether everything still looks the same.
    pub fn holds(&self) -> bool {
        let is_same = |place: usize| {
            let (Some(path), Some((_, mark))) = (self.path(place), self.looks.get(place)) else { return false };
            mark_of(fs::metadata(path).ok().as_ref().map(FileStamp::from_metadata)) == *mark
        };
        self.restless.iter().all(|place| is_same(*place)) && (0..self.looks.len()).into_par_iter().all(is_same)
    }

    /// Of a look, by its place among all that were kept.
    pub fn path(&self, place: usize) -> Option<&Path> {
        let start = place.checked_sub(1).map_or(Some(0), |before| Some(self.looks.get(before)?.0))?;
        let path = self.paths.get(start..self.looks.get(place)?.0)?;
        Some(Path::new(OsStr::from_bytes(path)))
    }

    pub fn answer(&self) -> &[u8] {
        &self.answer
    }

    /// The trace that these bytes are; an empty one where they are of another version. Or why they are none.
    fn parse(bytes: &[u8]) -> std::result::Result<Trace, String> {
        if !HEAD_OF_TRACE.is_of(bytes)? {
            return Ok(Trace::default());
        }
        Reader(&bytes[HEAD..]).trace().ok_or_else(|| "it is cut off".to_owned())
    }
}

/// Takes one value after the other.
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
        let mut trace = Trace { question: self.array()?, ..Trace::default() };
        let mut start = 0;
        for _ in 0..u32::from_le_bytes(self.array()?) {
            let (shared, own) = (u16::from_le_bytes(self.array()?), u16::from_le_bytes(self.array()?));
            let end = trace.paths.len();
            trace.paths.get(start..)?.get(..usize::from(shared))?;
            trace.paths.extend_from_within(start..start + usize::from(shared));
            trace.paths.extend(self.bytes(usize::from(own))?);
            trace.looks.push((trace.paths.len(), self.array()?));
            start = end;
        }
        let [count] = self.array()?;
        for _ in 0..count {
            trace.restless.push(usize::try_from(u32::from_le_bytes(self.array()?)).ok()?);
        }
        trace.answer = self.0.to_vec();
        Some(trace)
    }
}

impl Store {
    /// Of a run in the repository at `root` that was asked the same.
    pub fn trace(&self, root: &Path, question: &Digest) -> Result<Option<Trace>> {
        let trace = self.load_known(&self.trace_place(root, question), |bytes| Trace::parse(&bytes))?;
        Ok((trace.question == *question.hash()).then_some(trace))
    }

    /// `seen`: sorted by path, each once.
    pub fn keep_trace(&self, root: &Path, question: &Digest, seen: &[Observation], answer: &[u8]) -> Result<()> {
        match written(question, seen, answer) {
            Some(bytes) => self.publish_known(&self.trace_place(root, question), &bytes),
            None => Ok(()),
        }
    }

    fn trace_place(&self, root: &Path, question: &Digest) -> Place {
        let [first, ..] = question.hash();
        self.known_place(root, &format!("trace-{:02}", first % PLACES))
    }
}

/// Nothing if that is more than a file can hold.
fn written(question: &Digest, seen: &[Observation], answer: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = [HEAD_OF_TRACE.begin().as_slice(), question.hash()].concat();
    bytes.extend(u32::try_from(seen.len()).ok()?.to_le_bytes());
    let mut before: &[u8] = b"";
    for (path, stamp) in seen {
        let path = path.as_os_str().as_bytes();
        let shared = shared(before, path);
        bytes.extend(u16::try_from(shared).ok()?.to_le_bytes());
        bytes.extend(u16::try_from(path.len() - shared).ok()?.to_le_bytes());
        bytes.extend(&path[shared..]);
        bytes.extend(mark_of(*stamp));
        before = path;
    }
    let restless = restless(seen);
    bytes.push(u8::try_from(restless.len()).ok()?);
    for place in restless {
        bytes.extend(u32::try_from(place).ok()?.to_le_bytes());
    }
    bytes.extend(answer);
    Head::seal(&mut bytes);
    Some(bytes)
}

/// The length of what both begin with.
fn shared(one: &[u8], other: &[u8]) -> usize {
    // Eight bytes at a time, since paths that follow each other share most of theirs.
    let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let whole = words.take_while(|(one, other)| one == other).count() * 8;
    whole + one[whole..].iter().zip(&other[whole..]).take_while(|(one, other)| one == other).count()
}

/// The places of what changed last.
fn restless(seen: &[Observation]) -> Vec<usize> {
    let changed = |place: &usize| std::cmp::Reverse(seen[*place].1.map(|stamp| stamp.changed_ns()));
    let mut places: Vec<usize> = (0..seen.len()).collect();
    if places.len() > RESTLESS {
        places.select_nth_unstable_by_key(RESTLESS, changed);
        places.truncate(RESTLESS);
    }
    places
}

fn mark_of(stamp: Option<FileStamp>) -> Mark {
    let mut mark = Mark::default();
    // Nothing hashes to zeros: they stand for what could not be seen.
    if let Some(stamp) = stamp {
        mark.copy_from_slice(&blake3::hash(&stamp.to_bytes()).as_bytes()[..16]);
    }
    mark
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn look(path: PathBuf) -> Observation {
        let stamp = fs::metadata(&path).ok().as_ref().map(FileStamp::from_metadata);
        (path, stamp)
    }

    #[test]
    fn a_trace_holds_until_something_looks_different() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let root = dir.path().join("root");
        // More than are looked at first.
        fs::create_dir_all(root.join("many")).unwrap();
        let many: Vec<PathBuf> = (10..99).map(|number| root.join(format!("many/{number}"))).collect();
        many.iter().for_each(|path| fs::write(path, "").unwrap());
        fs::write(root.join("a"), "text").unwrap();
        let question = Digest::of(b"question");
        let keep = || {
            let paths = [root.join("a"), root.join("b")].into_iter().chain(many.clone());
            store.keep_trace(&root, &question, &paths.map(look).collect::<Vec<_>>(), b"answer").unwrap();
        };
        let trace = || store.trace(&root, &question).unwrap().unwrap();
        keep();
        assert!(trace().holds());
        assert_eq!(
            (trace().answer(), trace().path(1), trace().path(91)),
            (b"answer".as_slice(), Some(root.join("b").as_path()), None)
        );
        fs::write(root.join("b"), "new").unwrap();
        assert!(!trace().holds(), "what was not there is there");
        keep();
        assert!(trace().holds());
        for path in [&root.join("a"), &many[0], &many[88]] {
            fs::write(path, "longer text").unwrap();
            assert!(!trace().holds(), "{} is another", path.display());
            keep();
            assert!(trace().holds());
        }
        fs::remove_file(&many[44]).unwrap();
        assert!(!trace().holds(), "what was there is gone");
        assert!(store.trace(dir.path(), &question).unwrap().is_none());
        assert!(store.trace(&root, &Digest::of(b"other")).unwrap().is_none());
    }

    #[test]
    fn every_flipped_bit_and_every_missing_end_is_noticed() {
        let seen = ["/a/b", "/a/c", "/d"].map(|path| look(path.into()));
        let question = Digest::of(b"question");
        let whole = written(&question, &seen, b"answer").unwrap();
        let sound = Trace::parse(&whole).unwrap();
        assert_eq!((sound.path(0), sound.path(2)), (Some(Path::new("/a/b")), Some(Path::new("/d"))));
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                // A flipped version is another one, of which nothing is taken.
                let is_noticed = Trace::parse(&flipped).map_or(true, |trace| trace.question != *question.hash());
                assert!(is_noticed, "byte {at} bit {bit}");
            }
            assert!(Trace::parse(&whole[..at]).is_err(), "cut at {at}");
            assert!(
                at < HEAD || Reader(&whole[HEAD..at]).trace().is_none_or(|cut| cut.answer.len() < 6),
                "cut at {at}"
            );
        }
    }
}
