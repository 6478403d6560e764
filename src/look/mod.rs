//! Files outside the store, the repository's and the user's, as plans see them. Every look is noted, so that a later run
//! can tell without making its plans again that they would come out the same: all that was looked at looks the same (a
//! verifying trace; Mokhov, Mitchell and Peyton Jones, "Build Systems à la Carte", 2018).
//!
//! The notes are the process's, as the looks are: whoever makes plans reads files through this room and no other way,
//! which `tests/it/tidy.rs` watches over. What plans depend on beside files, the asker must know of himself; where it
//! cannot be known, `beyond` says so.

mod stamp;

use std::fs::{self, File, Metadata, ReadDir};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rayon::prelude::*;

pub use stamp::Stamp;

/// What was looked at, by absolute path; without a stamp where nothing could be seen.
pub type Seen = (PathBuf, Option<Stamp>);

/// So many threads note their looks without waiting for each other.
const SHARDS: usize = 16;

/// In the order of a thread's looks: a path may be here several times.
static NOTES: [Mutex<Vec<Seen>>; SHARDS] = [const { Mutex::new(Vec::new()) }; SHARDS];

static IS_BEYOND: AtomicBool = AtomicBool::new(false);

/// Not later than the first look.
static BEGUN: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

fn notes(shard: usize) -> MutexGuard<'static, Vec<Seen>> {
    NOTES[shard % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(path: &Path, metadata: &io::Result<Metadata>) {
    let seen = (path.to_owned(), metadata.as_ref().ok().map(Stamp::of));
    notes(rayon::current_thread_index().map_or(0, |index| index + 1)).push(seen);
}

/// Notes that a plan depends on something that no later look at files can tell.
pub fn beyond() {
    IS_BEYOND.store(true, Ordering::Release);
}

/// What lies there, beyond links.
pub fn metadata(path: &Path) -> io::Result<Metadata> {
    LazyLock::force(&BEGUN);
    let metadata = fs::metadata(path);
    note(path, &metadata);
    metadata
}

pub fn is_file(path: &Path) -> bool {
    metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Whole.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    LazyLock::force(&BEGUN);
    // What cannot be opened may be there, and be opened once its mode is another.
    let mut file = File::open(path).inspect_err(|_| note(path, &fs::metadata(path)))?;
    let metadata = file.metadata();
    note(path, &metadata);
    let mut bytes = Vec::with_capacity(metadata.map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(0)));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whole, as UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// What lies in a directory.
pub fn read_dir(path: &Path) -> io::Result<ReadDir> {
    drop(metadata(path));
    fs::read_dir(path)
}

/// Where links lead. Below `root`, a real path, every directory on the way is noted with it: one of them may be moved.
pub fn real_path(path: &Path, root: &Path) -> io::Result<PathBuf> {
    drop(metadata(path));
    let real = fs::canonicalize(path)?;
    for dir in real.ancestors().skip(1).take_while(|dir| dir.starts_with(root)) {
        drop(metadata(dir));
    }
    Ok(real)
}

/// Everything that was looked at so far, sorted. Nothing where that does not tell enough: something was beyond files, or
/// looked different at another time, or may change once more without its stamp.
pub fn seen() -> Option<Vec<Seen>> {
    if IS_BEYOND.load(Ordering::Acquire) {
        return None;
    }
    settled((0..SHARDS).flat_map(|shard| notes(shard).clone()).collect(), *BEGUN)
}

fn settled(mut seen: Vec<Seen>, since: SystemTime) -> Option<Vec<Seen>> {
    // Stable, since that is quick where lists that are sorted follow each other.
    seen.par_sort_by(|(left, _), (right, _)| left.as_os_str().cmp(right.as_os_str()));
    seen.dedup();
    let is_told = |(_, stamp): &Seen| stamp.is_none_or(|stamp| stamp.is_settled(since));
    let is_one = |pair: &[Seen]| pair[0].0 != pair[1].0;
    (seen.iter().all(is_told) && seen.windows(2).all(is_one)).then_some(seen)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stamps() -> (tempfile::TempDir, Stamp, SystemTime) {
        let dir = tempfile::tempdir().unwrap();
        let stamp = Stamp::of(&fs::metadata(dir.path()).unwrap());
        (dir, stamp, SystemTime::now() + Duration::from_secs(1))
    }

    #[test]
    fn what_was_seen_comes_sorted_and_once() {
        let (_dir, stamp, later) = stamps();
        let seen = |path: &str, stamp| (PathBuf::from(path), stamp);
        let all = [seen("/b", Some(stamp)), seen("/a", None), seen("/b", Some(stamp))];
        assert_eq!(settled(all.to_vec(), later), Some(vec![seen("/a", None), seen("/b", Some(stamp))]));
    }

    #[test]
    fn what_changed_meanwhile_or_just_now_tells_nothing() {
        let (dir, stamp, later) = stamps();
        let seen = |stamp| (dir.path().to_owned(), stamp);
        assert_eq!(settled(vec![seen(Some(stamp)), seen(None)], later), None);
        assert_eq!(settled(vec![seen(Some(stamp))], SystemTime::now()), None, "it was made just now");
        fs::write(dir.path().join("new"), "").unwrap();
        let other = Stamp::of(&fs::metadata(dir.path()).unwrap());
        assert_eq!(settled(vec![seen(Some(stamp)), seen(Some(other))], later), None);
    }

    #[test]
    fn a_look_is_noted_also_where_there_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("here"), b"text\xff").unwrap();
        std::os::unix::fs::symlink("here", path("link")).unwrap();
        assert_eq!(read(&path("here")).unwrap(), b"text\xff");
        assert_eq!(read_to_string(&path("here")).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read(&path("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(read(dir.path()).is_err());
        assert!(is_file(&path("link")) && !is_file(&path("none")));
        let root = fs::canonicalize(dir.path()).unwrap();
        assert_eq!(real_path(&path("link"), &root).unwrap(), root.join("here"));
        let all: Vec<Seen> = (0..SHARDS).flat_map(|shard| notes(shard).clone()).collect();
        let noted = |path: &Path| all.iter().find(|(seen, _)| seen == path).map(|(_, stamp)| stamp.is_some());
        for (name, is_there) in [("here", true), ("gone", false), ("link", true), ("none", false)] {
            assert_eq!(noted(&path(name)), Some(is_there), "{name}");
        }
        assert_eq!(noted(&root), Some(true), "the directory on the way of the link");
    }
}
