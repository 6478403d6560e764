//! Reads of files, recorded. Nothing is cached here: every read reaches the file system.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, ReadDir};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rayon::prelude::*;

use super::FileStamp;

/// An absolute path that was read, and the stamp of the file or directory there; no stamp where nothing was accessible.
pub type Observation = (PathBuf, Option<FileStamp>);

/// The number of lists of observations: as many threads record without waiting for each other.
const SHARDS: usize = 16;

/// Records which files and directories a run reads. Clones share one record.
#[derive(Clone, Debug)]
pub struct Tracker {
    record: Arc<Record>,
}

#[derive(Debug)]
struct Record {
    /// In the order in which a thread read; a path may occur several times.
    observations: [Mutex<Vec<Observation>>; SHARDS],
    untraceable: AtomicBool,
    /// When the record was begun: not later than the first read.
    started: SystemTime,
}

impl Default for Tracker {
    fn default() -> Tracker {
        let observations = [const { Mutex::new(Vec::new()) }; SHARDS];
        #[expect(clippy::disallowed_methods, reason = "a trace is unreliable if a file changed after the run started")]
        let record = Record { observations, untraceable: AtomicBool::new(false), started: SystemTime::now() };
        Tracker { record: Arc::new(record) }
    }
}

impl Tracker {
    /// Marks this run as untraceable: the plan used an input that checking files again cannot validate, such as git.
    pub fn mark_untraceable(&self) {
        self.record.untraceable.store(true, Ordering::Release);
    }

    /// The metadata of what lies at `path`, following symbolic links.
    pub fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = fs::metadata(path);
        self.observe(path, &metadata);
        metadata
    }

    /// Whether `path` is a regular file, following symbolic links.
    pub fn is_file(&self, path: &Path) -> bool {
        self.metadata(path).is_ok_and(|metadata| metadata.is_file())
    }

    /// The whole content of a file.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // A file that cannot be opened may exist, and become readable when its mode changes.
        let mut file = File::open(path).inspect_err(|_| self.observe(path, &fs::metadata(path)))?;
        let metadata = file.metadata();
        self.observe(path, &metadata);
        let size = metadata.map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(0));
        let mut bytes = Vec::with_capacity(size);
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The whole content of a file that is UTF-8; else an error of kind `InvalidData`.
    pub fn read_to_string(&self, path: &Path) -> io::Result<String> {
        String::from_utf8(self.read(path)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
    }

    /// The entries of a directory.
    pub fn read_dir(&self, path: &Path) -> io::Result<ReadDir> {
        drop(self.metadata(path));
        fs::read_dir(path)
    }

    /// The path with all symbolic links resolved. Every directory between it and `root`, itself a resolved path, is
    /// recorded too, since one of them may be moved.
    pub fn real_path(&self, path: &Path, root: &Path) -> io::Result<PathBuf> {
        drop(self.metadata(path));
        let real = fs::canonicalize(path)?;
        for dir in real.ancestors().skip(1).take_while(|dir| dir.starts_with(root)) {
            drop(self.metadata(dir));
        }
        Ok(real)
    }

    /// Everything read so far, sorted by path, each path once. `None` where that cannot validate a later run: the run is
    /// untraceable, a file changed between two reads, or a file is so new that it may change again with the same stamp.
    pub fn observations(&self) -> Option<Vec<Observation>> {
        if self.record.untraceable.load(Ordering::Acquire) {
            return None;
        }
        settled((0..SHARDS).flat_map(|shard| self.shard(shard).clone()).collect(), self.record.started)
    }

    /// Everything read so far, sorted by path, each path once, with the stamp of its last read. Unlike `observations`, this is
    /// complete in every run; it serves to notice later changes.
    pub fn watch_list(&self) -> Vec<Observation> {
        let all = (0..SHARDS).flat_map(|shard| self.shard(shard).clone());
        all.collect::<BTreeMap<PathBuf, Option<FileStamp>>>().into_iter().collect()
    }

    fn observe(&self, path: &Path, metadata: &io::Result<Metadata>) {
        let observation = (path.to_owned(), metadata.as_ref().ok().map(FileStamp::from_metadata));
        self.shard(rayon::current_thread_index().map_or(0, |index| index + 1)).push(observation);
    }

    fn shard(&self, number: usize) -> MutexGuard<'_, Vec<Observation>> {
        self.record.observations[number % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settled(mut all: Vec<Observation>, since: SystemTime) -> Option<Vec<Observation>> {
    // A stable sort is fast where sorted lists follow each other.
    all.par_sort_by(|(left, _), (right, _)| left.as_os_str().cmp(right.as_os_str()));
    all.dedup();
    let is_settled = |(_, stamp): &Observation| stamp.is_none_or(|stamp| stamp.is_settled(since));
    let is_consistent = |pair: &[Observation]| pair[0].0 != pair[1].0;
    (all.iter().all(is_settled) && all.windows(2).all(is_consistent)).then_some(all)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stamps() -> (tempfile::TempDir, FileStamp, SystemTime) {
        let dir = tempfile::tempdir().unwrap();
        let stamp = FileStamp::from_metadata(&fs::metadata(dir.path()).unwrap());
        (dir, stamp, SystemTime::now() + Duration::from_secs(1))
    }

    #[test]
    fn observations_are_sorted_and_unique() {
        let (_dir, stamp, later) = stamps();
        let seen = |path: &str, stamp| (PathBuf::from(path), stamp);
        let all = [seen("/b", Some(stamp)), seen("/a", None), seen("/b", Some(stamp))];
        assert_eq!(settled(all.to_vec(), later), Some(vec![seen("/a", None), seen("/b", Some(stamp))]));
    }

    #[test]
    fn a_file_that_changed_during_the_run_or_just_before_validates_nothing() {
        let (dir, stamp, later) = stamps();
        let seen = |stamp| (dir.path().to_owned(), stamp);
        assert_eq!(settled(vec![seen(Some(stamp)), seen(None)], later), None);
        assert_eq!(settled(vec![seen(Some(stamp))], SystemTime::now()), None, "it was created just now");
        fs::write(dir.path().join("new"), "").unwrap();
        let other = FileStamp::from_metadata(&fs::metadata(dir.path()).unwrap());
        assert_eq!(settled(vec![seen(Some(stamp)), seen(Some(other))], later), None);
    }

    #[test]
    fn two_trackers_share_nothing_and_clones_share_all() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (Tracker::default(), Tracker::default());
        first.clone().is_file(dir.path());
        second.mark_untraceable();
        assert_eq!(first.shard(0).len() + second.shard(0).len(), 1);
        assert!(!first.record.untraceable.load(Ordering::Acquire));
        assert_eq!(second.observations(), None);
    }

    #[test]
    fn a_read_is_recorded_also_where_nothing_exists() {
        let tracker = Tracker::default();
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("here"), b"text\xff").unwrap();
        std::os::unix::fs::symlink("here", path("link")).unwrap();
        assert_eq!(tracker.read(&path("here")).unwrap(), b"text\xff");
        assert_eq!(tracker.read_to_string(&path("here")).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(tracker.read(&path("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(tracker.read(dir.path()).is_err());
        assert!(tracker.is_file(&path("link")) && !tracker.is_file(&path("none")));
        let root = fs::canonicalize(dir.path()).unwrap();
        assert_eq!(tracker.real_path(&path("link"), &root).unwrap(), root.join("here"));
        let all: Vec<Observation> = (0..SHARDS).flat_map(|shard| tracker.shard(shard).clone()).collect();
        let recorded = |path: &Path| all.iter().find(|(seen, _)| seen == path).map(|(_, stamp)| stamp.is_some());
        for (name, exists) in [("here", true), ("gone", false), ("link", true), ("none", false)] {
            assert_eq!(recorded(&path(name)), Some(exists), "{name}");
        }
        assert_eq!(recorded(&root), Some(true), "the directory that the link leads through");
    }
}
