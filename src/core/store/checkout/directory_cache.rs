//! The directory cache: the entries of a checkout's directories, valid while the stat(2) metadata of the directory is unchanged.
//! The kernel updates the times of a directory when an entry is added or removed. The format of the entries is up to the caller.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::path_records::{PathRecords, Record};
use super::record_file::RecordFilePath;
use crate::base::RelPath;
use crate::store::error::Result;
use crate::store::layout::{Store, lock};
use crate::tracked::FileStamp;

/// The cached listings of one checkout. It can be shared by any number of threads.
#[derive(Debug)]
pub struct DirectoryCache {
    file: RecordFilePath,
    loaded: PathRecords,
    /// For each loaded record, whether it was used. Unused records are dropped: their directories no longer exist.
    used: Vec<AtomicBool>,
    added: Mutex<Vec<(RelPath, FileStamp, Vec<u8>)>>,
}

impl DirectoryCache {
    /// The cached listing of a directory, if the directory still has this stamp.
    pub fn get(&self, dir: &RelPath, stamp: &FileStamp) -> Option<&[u8]> {
        let position = self.loaded.position(dir.as_str().as_bytes())?;
        let record = self.loaded.record_at(position).filter(|record| record.stamp == stamp.to_bytes())?;
        self.used.get(position)?.store(true, Ordering::Relaxed);
        Some(record.note)
    }

    /// Adds a listing. `stamp` was taken before the directory was read, at the time `listed_at`. A directory that changed so
    /// recently that a later change could leave the same stamp is not cached.
    pub fn insert(&self, dir: RelPath, stamp: FileStamp, listed_at: SystemTime, listing: Vec<u8>) {
        if stamp.is_settled(listed_at) {
            lock(&self.added).push((dir, stamp, listing));
        }
    }
}

impl Store {
    /// Loads the directory cache of the checkout at `root`, an absolute path.
    pub fn directory_cache(&self, root: &Path) -> Result<DirectoryCache> {
        let file = self.record_file_path(root, "directories");
        let loaded = self.load_path_records(&file)?;
        let used = (0..loaded.len()).map(|_| AtomicBool::new(false)).collect();
        Ok(DirectoryCache { file, loaded, used, added: Mutex::default() })
    }

    /// Saves a directory cache for the next run. Does nothing if only a few listings were added.
    pub fn save_directory_cache(&self, cache: &DirectoryCache) -> Result<()> {
        let added = std::mem::take(&mut *lock(&cache.added));
        if !cache.loaded.should_rewrite(added.len()) {
            return Ok(());
        }
        let used = cache.loaded.records().zip(&cache.used).filter(|(_, used)| used.load(Ordering::Relaxed));
        let added = added.iter().map(|(dir, stamp, listing)| Record {
            path: dir.as_str().as_bytes(),
            stamp: stamp.to_bytes(),
            hash: [0; 32],
            note: listing,
            stored: false,
        });
        let mut records: Vec<Record<'_>> = used.map(|(record, _)| record).chain(added).collect();
        records.sort_by_key(|record| record.path);
        records.dedup_by_key(|record| record.path);
        self.publish_path_records(&cache.file, &[0; 32], &records)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    fn dir(path: &str) -> RelPath {
        RelPath::parse(path).unwrap()
    }

    #[test]
    fn a_listing_is_cached_until_an_entry_is_added_or_removed() {
        let here = tempfile::tempdir().unwrap();
        let store = Store::open(&here.path().join("store")).unwrap();
        let root = here.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        let stamp = || FileStamp::from_metadata(&fs::metadata(root.join("a")).unwrap());
        let insert = |age: Duration| {
            let cache = store.directory_cache(&root).unwrap();
            cache.insert(dir("a"), stamp(), SystemTime::now() + age, b"names".to_vec());
            store.save_directory_cache(&cache).unwrap();
            store.directory_cache(&root).unwrap().get(&dir("a"), &stamp()).map(<[u8]>::to_vec)
        };
        assert_eq!(insert(Duration::ZERO), None, "it has just changed");
        assert_eq!(insert(Duration::from_secs(1)).as_deref(), Some(b"names".as_slice()));
        let is_cached = || store.directory_cache(&root).unwrap().get(&dir("a"), &stamp()).is_some();
        assert!(is_cached());
        fs::write(root.join("a/new"), "").unwrap();
        assert!(!is_cached());
        assert!(store.directory_cache(&here.path().join("other")).unwrap().get(&dir("a"), &stamp()).is_none());
    }

    #[test]
    fn unused_directories_are_dropped() {
        let here = tempfile::tempdir().unwrap();
        let store = Store::open(&here.path().join("store")).unwrap();
        let stamp = FileStamp::from_metadata(&fs::metadata(here.path()).unwrap());
        let later = SystemTime::now() + Duration::from_secs(1);
        let insert = |added: &[&str], used: &[&str]| {
            let cache = store.directory_cache(here.path()).unwrap();
            added.iter().for_each(|path| cache.insert(dir(path), stamp, later, path.as_bytes().to_vec()));
            used.iter().for_each(|path| assert!(cache.get(&dir(path), &stamp).is_some()));
            store.save_directory_cache(&cache).unwrap();
            let loaded = store.directory_cache(here.path()).unwrap().loaded;
            loaded.records().map(|record| String::from_utf8_lossy(record.path).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(insert(&["b", "a"], &[]), ["a", "b"]);
        assert_eq!(insert(&[], &["a"]), ["a", "b"], "nothing is written if nothing is added");
        assert_eq!(insert(&["c"], &["a"]), ["a", "c"]);
    }
}
