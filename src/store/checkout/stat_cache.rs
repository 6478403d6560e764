//! Digests of workspace files by what stat(2) says of them, so that an unchanged file is not read again; with each a
//! note about its content, such as a module's imports. Reading files is the caller's, and how all that lies on disk
//! is `pack`'s. Notes are also kept by content, for another branch or checkout.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rusqlite::{OptionalExtension, params};

use super::pack::{Pack, Record};
use super::record_file::Place;
use crate::base::{Digest, RelPath};
use crate::store::error::Result;
use crate::store::index::sound_value;
use crate::store::layout::{Store, lock};
use crate::tracked::FileStamp;

/// What is known of the files below one directory, and what was learnt since. Shared by any number of threads.
#[derive(Debug)]
pub struct StatCache {
    place: Place,
    /// The kind of the notes that are wanted, hashed.
    kind: [u8; 32],
    known: Pack,
    learnt: Mutex<HashMap<RelPath, Learnt>>,
    /// Something was learnt since it was last saved.
    has_news: AtomicBool,
}

#[derive(Clone, Debug)]
struct Learnt {
    stamp: FileStamp,
    digest: Digest,
    note: Vec<u8>,
    stored: bool,
}

impl StatCache {
    /// The digest of a file that still has this stamp, and whether the store got its content.
    pub fn digest(&self, path: &RelPath, stamp: &FileStamp) -> Option<(Digest, bool)> {
        if let Some(learnt) = lock(&self.learnt).get(path) {
            return (learnt.stamp == *stamp).then_some((learnt.digest, learnt.stored));
        }
        let record = self.record(path, stamp)?;
        Some((Digest::new(record.hash, stamp.size_bytes()), record.stored))
    }

    /// The same with the note about that content: empty if there is none.
    pub fn known(&self, path: &RelPath, stamp: &FileStamp) -> Option<(Digest, &[u8])> {
        let record = self.record(path, stamp)?;
        let note = if self.known.kind() == Some(self.kind) { record.note } else { &[] };
        Some((Digest::new(record.hash, stamp.size_bytes()), note))
    }

    fn record(&self, path: &RelPath, stamp: &FileStamp) -> Option<Record<'_>> {
        self.known.find(path.as_str().as_bytes()).filter(|record| record.stamp == stamp.to_bytes())
    }

    /// Takes note of a digest. `stamp` is from before the file was read, `hashed_at` the time of that stat. What could
    /// have changed unseen in between or right after is not kept. `stored`: the store has the content, too.
    pub fn learn(&self, path: RelPath, stamp: FileStamp, digest: Digest, hashed_at: SystemTime, stored: bool) {
        if stamp.is_settled(hashed_at) && stamp.size_bytes() == digest.size_bytes() {
            let mut learnt = lock(&self.learnt);
            let before = learnt.get(&path).filter(|before| before.digest == digest).map(|before| before.note.clone());
            let known = || self.known(&path, &stamp).filter(|(known, _)| *known == digest);
            let note = before.or_else(|| known().map(|(_, note)| note.to_vec())).unwrap_or_default();
            learnt.insert(path, Learnt { stamp, digest, note, stored });
            self.has_news.store(true, Ordering::Release);
        }
    }

    /// Keeps a note about a file's content, if the file is known to have that content.
    pub fn annotate(&self, path: &RelPath, stamp: FileStamp, digest: Digest, note: Vec<u8>) {
        let mut all = lock(&self.learnt);
        if let Some(learnt) = all.get_mut(path) {
            if learnt.digest == digest {
                learnt.note = note;
                self.has_news.store(true, Ordering::Release);
            }
        } else if let Some(record) = self.record(path, &stamp).filter(|record| record.hash == *digest.hash()) {
            all.insert(path.clone(), Learnt { stamp, digest, note, stored: record.stored });
            self.has_news.store(true, Ordering::Release);
        }
    }
}

impl Store {
    /// Loads what is known of all files below `root`, an absolute path. `kind` names the format of the notes with its
    /// version: those of another kind are none.
    pub fn stat_cache(&self, root: &Path, kind: &str) -> Result<StatCache> {
        let place = self.known_place(root, "files");
        let (kind, known) = (*blake3::hash(kind.as_bytes()).as_bytes(), self.load_pack(&place)?);
        Ok(StatCache { place, kind, known, learnt: Mutex::default(), has_news: AtomicBool::new(false) })
    }

    /// Keeps what a cache learnt, if that is worth it, beside what it knew of the files that are `wanted` still.
    pub fn save_stat_cache(&self, cache: &StatCache, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let learnt = lock(&cache.learnt).clone();
        if !cache.known.lacks(learnt.len()) || !cache.has_news.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let learnt_paths: HashSet<&str> = learnt.keys().map(RelPath::as_str).collect();
        let same_kind = cache.known.kind() == Some(cache.kind);
        let stays = |record: &Record<'_>| {
            std::str::from_utf8(record.path).is_ok_and(|path| wanted(path) && !learnt_paths.contains(path))
        };
        let known = cache.known.records().filter(stays);
        let known = known.map(|record| Record { note: if same_kind { record.note } else { &[] }, ..record });
        let learnt = learnt.iter().map(|(path, learnt)| Record {
            path: path.as_str().as_bytes(),
            stamp: learnt.stamp.to_bytes(),
            hash: *learnt.digest.hash(),
            note: &learnt.note,
            stored: learnt.stored,
        });
        let mut records: Vec<Record<'_>> = known.chain(learnt).collect();
        records.sort_unstable_by_key(|record| record.path);
        self.publish_pack(&cache.place, &cache.kind, &records)
    }

    /// The notes of this kind known about contents. `kind` names their format with its version; damaged ones are none.
    pub fn payloads(&self, kind: &str, digests: &[Digest]) -> Result<HashMap<Digest, Vec<u8>>> {
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            let query = "SELECT check_hash, value FROM payload WHERE kind = ?1 AND hash = ?2";
            let mut select = transaction.prepare_cached(query)?;
            let mut found = HashMap::new();
            for digest in digests {
                let value = select.query_row(params![kind, digest.hash()], sound_value).optional()?.flatten();
                found.extend(value.map(|value| (*digest, value)));
            }
            Ok(found)
        })
    }

    pub fn save_payloads(&self, kind: &str, payloads: &[(Digest, Vec<u8>)]) -> Result<()> {
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO payload VALUES (?1, ?2, ?3, ?4)")?;
            for (digest, value) in payloads {
                insert.execute(params![kind, digest.hash(), blake3::hash(value).as_bytes(), value])?;
            }
            drop(insert);
            transaction.commit()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(age: Duration, is_kept: bool) {
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
        cache.learn(path.clone(), stamp, Digest::of(b"text"), changed + age, false);
        cache.annotate(&path, stamp, Digest::of(b"other"), b"wrong".to_vec());
        cache.annotate(&path, stamp, Digest::of(b"text"), b"note".to_vec());
        cache.learn(path.clone(), stamp, Digest::of(b"text"), changed + age, true);
        store.save_stat_cache(&cache, |_| true).unwrap();
        let expected = is_kept.then(|| Digest::of(b"text"));
        assert_eq!(cache.digest(&path, &stamp), expected.map(|digest| (digest, true)));
        let note = expected.map(|digest| (digest, b"note".as_slice()));
        assert_eq!(open(dir.path()).known(&path, &stamp), note);
        assert_eq!(open(&dir.path().join("other")).digest(&path, &stamp), None);
        let other = FileStamp::from_metadata(&std::fs::metadata(dir.path()).unwrap());
        assert_eq!(open(dir.path()).digest(&path, &other), None);
        let other_kind = store.stat_cache(dir.path(), "imports 2").unwrap();
        assert_eq!(other_kind.known(&path, &stamp), expected.map(|digest| (digest, b"".as_slice())));
    }

    #[test]
    fn what_is_not_wanted_any_more_is_forgotten_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let later = SystemTime::now() + SECOND;
        let learn = |names: &[&str], wanted: &dyn Fn(&str) -> bool| {
            let cache = store.stat_cache(dir.path(), "").unwrap();
            for name in names {
                std::fs::write(dir.path().join(name), name).unwrap();
                let stamp = FileStamp::from_metadata(&std::fs::metadata(dir.path().join(name)).unwrap());
                cache.learn(RelPath::parse(name).unwrap(), stamp, Digest::of(name.as_bytes()), later, false);
            }
            store.save_stat_cache(&cache, wanted).unwrap();
            let known = store.stat_cache(dir.path(), "").unwrap().known;
            known.records().map(|record| String::from_utf8_lossy(record.path).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(learn(&["b", "a", "c"], &|_| true), ["a", "b", "c"]);
        assert_eq!(learn(&["d", "b"], &|name| name != "a"), ["b", "c", "d"]);
        assert_eq!(learn(&[], &|_| false), ["b", "c", "d"]);
    }

    #[test]
    fn a_settled_file_is_known_again() {
        check(SECOND, true);
    }

    #[test]
    fn a_file_that_changed_just_now_is_never_trusted() {
        check(Duration::ZERO, false);
        check(SECOND / 10, false);
    }

    #[test]
    fn a_payload_is_found_by_kind_and_content() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        store.save_payloads("imports 1", &[(one, b"os".to_vec())]).unwrap();
        let found = store.payloads("imports 1", &[one, two]).unwrap();
        assert_eq!(found, HashMap::from([(one, b"os".to_vec())]));
        assert!(store.payloads("imports 2", &[one]).unwrap().is_empty());
    }
}
