//! The stat cache: digests of a checkout's files by their stat(2) metadata, so that an unchanged file is not read again. Each
//! digest can have a note about the content, such as the imports of a module. Notes are also stored by content, for other
//! branches and checkouts. Reading files is up to the caller; `path_records` defines the file format.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rusqlite::{OptionalExtension, params};

use super::path_records::{PathRecords, Record};
use super::record_file::RecordFilePath;
use crate::base::{Digest, RelPath};
use crate::store::error::{Error, Result};
use crate::store::index::{insert_note, verified_value};
use crate::store::layout::{Store, lock};
use crate::store::upkeep::listing;
use crate::tracked::FileStamp;

/// The cached digests of one checkout, and those added since it was loaded. It can be shared by any number of threads.
#[derive(Debug)]
pub struct StatCache {
    file: RecordFilePath,
    /// The hash of the kind of notes in use.
    kind: [u8; 32],
    loaded: PathRecords,
    added: Mutex<HashMap<RelPath, Added>>,
    /// Whether anything was added since the cache was last saved.
    is_dirty: AtomicBool,
}

#[derive(Clone, Debug)]
struct Added {
    stamp: FileStamp,
    digest: Digest,
    note: Vec<u8>,
    stored: bool,
}

impl StatCache {
    /// The digest of a file, if it still has this stamp, and whether its content is in the store.
    pub fn digest(&self, path: &RelPath, stamp: &FileStamp) -> Option<(Digest, bool)> {
        if let Some(added) = lock(&self.added).get(path) {
            return (added.stamp == *stamp).then_some((added.digest, added.stored));
        }
        let record = self.record(path, stamp)?;
        Some((Digest::new(record.hash, stamp.size_bytes()), record.stored))
    }

    /// The digest of a file, if it still has this stamp, and the note about its content; empty if there is none.
    pub fn digest_and_note(&self, path: &RelPath, stamp: &FileStamp) -> Option<(Digest, &[u8])> {
        let record = self.record(path, stamp)?;
        let note = if self.loaded.kind() == Some(self.kind) { record.note } else { &[] };
        Some((Digest::new(record.hash, stamp.size_bytes()), note))
    }

    fn record(&self, path: &RelPath, stamp: &FileStamp) -> Option<Record<'_>> {
        self.loaded.find(path.as_str().as_bytes()).filter(|record| record.stamp == stamp.to_bytes())
    }

    /// Adds a digest. `stamp` was taken before the file was read, at the time `hashed_at`. A file that changed so recently that a
    /// later change could leave the same stamp is not cached. `stored` says whether the content is in the store.
    pub fn insert(&self, path: RelPath, stamp: FileStamp, digest: Digest, hashed_at: SystemTime, stored: bool) {
        if stamp.is_settled(hashed_at) && stamp.size_bytes() == digest.size_bytes() {
            let mut added = lock(&self.added);
            let before = added.get(&path).filter(|before| before.digest == digest).map(|before| before.note.clone());
            let loaded = || self.digest_and_note(&path, &stamp).filter(|(loaded, _)| *loaded == digest);
            let note = before.or_else(|| loaded().map(|(_, note)| note.to_vec())).unwrap_or_default();
            added.insert(path, Added { stamp, digest, note, stored });
            self.is_dirty.store(true, Ordering::Release);
        }
    }

    /// Sets the note about a file's content. Ignored if the cache has another digest for the file.
    pub fn annotate(&self, path: &RelPath, stamp: FileStamp, digest: Digest, note: Vec<u8>) {
        let mut all = lock(&self.added);
        if let Some(added) = all.get_mut(path) {
            if added.digest == digest {
                added.note = note;
                self.is_dirty.store(true, Ordering::Release);
            }
        } else if let Some(record) = self.record(path, &stamp).filter(|record| record.hash == *digest.hash()) {
            all.insert(path.clone(), Added { stamp, digest, note, stored: record.stored });
            self.is_dirty.store(true, Ordering::Release);
        }
    }
}

impl Store {
    /// Loads the stat cache of the checkout at `root`, an absolute path. `kind` is the format of the notes with its version; notes
    /// of another kind are ignored.
    pub fn stat_cache(&self, root: &Path, kind: &str) -> Result<StatCache> {
        let file = self.record_file_path(root, "files");
        self.note_use_of_checkout(root)?;
        let (kind, loaded) = (*blake3::hash(kind.as_bytes()).as_bytes(), self.load_path_records(&file)?);
        Ok(StatCache { file, kind, loaded, added: Mutex::default(), is_dirty: AtomicBool::new(false) })
    }

    /// Saves a cache for the next run. Loaded records are kept for paths that `is_current` accepts. Does nothing if only a few
    /// digests were added.
    pub fn save_stat_cache(&self, cache: &StatCache, is_current: impl Fn(&str) -> bool) -> Result<()> {
        let added = lock(&cache.added).clone();
        if !cache.loaded.should_rewrite(added.len()) || !cache.is_dirty.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let added_paths: HashSet<&str> = added.keys().map(RelPath::as_str).collect();
        let same_kind = cache.loaded.kind() == Some(cache.kind);
        let stays = |record: &Record<'_>| {
            std::str::from_utf8(record.path).is_ok_and(|path| is_current(path) && !added_paths.contains(path))
        };
        let kept = cache.loaded.records().filter(stays);
        let kept = kept.map(|record| Record { note: if same_kind { record.note } else { &[] }, ..record });
        let added = added.iter().map(|(path, added)| Record {
            path: path.as_str().as_bytes(),
            stamp: added.stamp.to_bytes(),
            hash: *added.digest.hash(),
            note: &added.note,
            stored: added.stored,
        });
        let mut records: Vec<Record<'_>> = kept.chain(added).collect();
        records.sort_unstable_by_key(|record| record.path);
        self.publish_path_records(&cache.file, &cache.kind, &records)
    }

    /// For each checkout with a stat cache, the start of the names of its record files, and the hashes of the contents that are
    /// recorded as stored.
    pub(in crate::store) fn stored_contents(&self) -> Result<Vec<(String, Vec<[u8; 32]>)>> {
        let mut checkouts = Vec::new();
        for path in listing::entries(&self.root.join("repository"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(checkout) = name.strip_suffix("-files") else { continue };
            let bytes = match std::fs::read(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                bytes => bytes.map_err(Error::io("read", &path))?,
            };
            // A damaged or foreign file claims nothing.
            let records = PathRecords::parse(bytes).ok();
            let stored = records.iter().flat_map(PathRecords::records).filter(|record| record.stored);
            checkouts.push((checkout.to_owned(), stored.map(|record| record.hash).collect()));
        }
        Ok(checkouts)
    }

    /// The stored notes of one kind about these contents. `kind` is their format with its version. Damaged notes are left out.
    pub fn notes(&self, kind: &str, digests: &[Digest]) -> Result<HashMap<Digest, Vec<u8>>> {
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            let query = "SELECT check_hash, value FROM payload WHERE kind = ?1 AND hash = ?2";
            let mut select = transaction.prepare_cached(query)?;
            let mut found = HashMap::new();
            for digest in digests {
                let value = select.query_row(params![kind, digest.hash()], verified_value).optional()?.flatten();
                found.extend(value.map(|value| (*digest, value)));
            }
            Ok(found)
        })
    }

    /// Stores notes of one kind; they replace earlier ones.
    pub fn save_notes(&self, kind: &str, notes: &[(Digest, Vec<u8>)]) -> Result<()> {
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            for (digest, value) in notes {
                insert_note(&transaction, (kind, *digest, value))?;
            }
            transaction.commit()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(age: Duration, is_cached: bool) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "text").unwrap();
        let metadata = std::fs::metadata(&file).unwrap();
        let (stamp, path) = (FileStamp::from_metadata(&metadata), RelPath::parse("file").unwrap());
        let changed = metadata.modified().unwrap();
        let open = |root: &Path| store.stat_cache(root, "imports 1").unwrap();
        let cache = open(dir.path());
        assert_eq!(cache.digest(&path, &stamp), None);
        cache.insert(path.clone(), stamp, Digest::of(b"text"), changed + age, false);
        cache.annotate(&path, stamp, Digest::of(b"other"), b"wrong".to_vec());
        cache.annotate(&path, stamp, Digest::of(b"text"), b"note".to_vec());
        cache.insert(path.clone(), stamp, Digest::of(b"text"), changed + age, true);
        store.save_stat_cache(&cache, |_| true).unwrap();
        let expected = is_cached.then(|| Digest::of(b"text"));
        assert_eq!(cache.digest(&path, &stamp), expected.map(|digest| (digest, true)));
        let note = expected.map(|digest| (digest, b"note".as_slice()));
        assert_eq!(open(dir.path()).digest_and_note(&path, &stamp), note);
        assert_eq!(open(&dir.path().join("other")).digest(&path, &stamp), None);
        let other = FileStamp::from_metadata(&std::fs::metadata(dir.path()).unwrap());
        assert_eq!(open(dir.path()).digest(&path, &other), None);
        let other_kind = store.stat_cache(dir.path(), "imports 2").unwrap();
        assert_eq!(other_kind.digest_and_note(&path, &stamp), expected.map(|digest| (digest, b"".as_slice())));
    }

    #[test]
    fn records_of_removed_files_are_dropped_and_the_others_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let later = SystemTime::now() + SECOND;
        let insert = |names: &[&str], is_current: &dyn Fn(&str) -> bool| {
            let cache = store.stat_cache(dir.path(), "").unwrap();
            for name in names {
                std::fs::write(dir.path().join(name), name).unwrap();
                let stamp = FileStamp::from_metadata(&std::fs::metadata(dir.path().join(name)).unwrap());
                cache.insert(RelPath::parse(name).unwrap(), stamp, Digest::of(name.as_bytes()), later, false);
            }
            store.save_stat_cache(&cache, is_current).unwrap();
            let loaded = store.stat_cache(dir.path(), "").unwrap().loaded;
            loaded.records().map(|record| String::from_utf8_lossy(record.path).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(insert(&["b", "a", "c"], &|_| true), ["a", "b", "c"]);
        assert_eq!(insert(&["d", "b"], &|name| name != "a"), ["b", "c", "d"]);
        assert_eq!(insert(&[], &|_| false), ["b", "c", "d"]);
    }

    #[test]
    fn a_file_that_has_not_changed_recently_is_cached() {
        check(SECOND, true);
    }

    #[test]
    fn a_file_that_has_just_changed_is_not_cached() {
        check(Duration::ZERO, false);
        check(SECOND / 10, false);
    }

    #[test]
    fn a_note_is_found_by_kind_and_content() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        store.save_notes("imports 1", &[(one, b"os".to_vec())]).unwrap();
        let found = store.notes("imports 1", &[one, two]).unwrap();
        assert_eq!(found, HashMap::from([(one, b"os".to_vec())]));
        assert!(store.notes("imports 2", &[one]).unwrap().is_empty());
    }
}
