//! Digests of workspace files by what stat(2) says of them, so that an unchanged file is not read again; and small
//! facts about contents, such as a module's imports. Reading files is the caller's.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension, params};

use super::error::Result;
use super::index::sound_value;
use super::layout::{Store, lock};
use crate::base::{Digest, RelPath};

/// A file whose times are not older than this when it is hashed may change once more within the same tick of its file
/// system's clock: its stamp proves nothing. Linux ticks every 1 to 10 ms; network servers are coarser.
const SETTLED: Duration = Duration::from_millis(200);

/// Everything that changes when somebody writes a file, replaces it or restores an old time (which moves ctime).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    mode: u32,
    mtime_ns: i64,
    ctime_ns: i64,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Stamp {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Stamp {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.len(),
            mode: metadata.mode(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn is_settled(&self, hashed_at: SystemTime) -> bool {
        let Ok(now) = hashed_at.duration_since(SystemTime::UNIX_EPOCH) else { return false };
        let latest = now.saturating_sub(SETTLED).as_nanos();
        [self.mtime_ns, self.ctime_ns].iter().all(|time| u128::try_from(*time).is_ok_and(|time| time < latest))
    }

    fn to_bytes(self) -> [u8; 44] {
        let mut bytes = [0; 44];
        bytes[..8].copy_from_slice(&self.dev.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ino.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.size.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.mode.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.mtime_ns.to_le_bytes());
        bytes[36..].copy_from_slice(&self.ctime_ns.to_le_bytes());
        bytes
    }
}

/// The digests known of the files below one directory, and those learnt since. Shared by any number of threads.
#[derive(Debug)]
pub struct StatCache {
    prefix: Vec<u8>,
    known: HashMap<Vec<u8>, ([u8; 44], [u8; 32])>,
    learnt: Mutex<HashMap<RelPath, (Stamp, Digest)>>,
}

impl StatCache {
    /// The digest of a file that still has this stamp.
    pub fn digest(&self, path: &RelPath, stamp: &Stamp) -> Option<Digest> {
        if let Some((known, digest)) = lock(&self.learnt).get(path) {
            return (known == stamp).then_some(*digest);
        }
        let (known, hash) = self.known.get(path.as_str().as_bytes())?;
        (*known == stamp.to_bytes()).then(|| Digest::new(*hash, stamp.size))
    }

    /// Takes note of a digest. `stamp` is from before the file was read, `hashed_at` the time of that stat. What could
    /// have changed unseen in between or right after is not kept.
    pub fn learn(&self, path: RelPath, stamp: Stamp, digest: Digest, hashed_at: SystemTime) {
        if stamp.is_settled(hashed_at) && stamp.size == digest.size_bytes() {
            lock(&self.learnt).insert(path, (stamp, digest));
        }
    }
}

impl Store {
    /// Loads what is known of all files below `root`, an absolute path, in one query.
    pub fn stat_cache(&self, root: &Path) -> Result<StatCache> {
        let mut prefix = root.as_os_str().as_bytes().to_vec();
        prefix.push(b'/');
        let mut end = prefix.clone();
        end.pop();
        end.push(b'/' + 1);
        let known = self.index.with(|connection| {
            let query = "SELECT path, stamp, hash FROM stat WHERE path >= ?1 AND path < ?2";
            let mut select = connection.prepare_cached(query)?;
            let mut rows = select.query(params![prefix, end])?;
            let mut known = HashMap::new();
            while let Some(row) = rows.next()? {
                let (path, stamp, hash) = (row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?);
                let (Ok(path), Ok(stamp), Ok(hash)) = (path.as_blob(), stamp.as_blob(), hash.as_blob()) else {
                    continue;
                };
                let (Ok(stamp), Ok(hash)) = (stamp.try_into(), hash.try_into()) else { continue };
                known.insert(path[prefix.len()..].to_vec(), (stamp, hash));
            }
            Ok(known)
        })?;
        Ok(StatCache { prefix, known, learnt: Mutex::default() })
    }

    /// Keeps what a cache learnt, in one transaction.
    pub fn save_stat_cache(&self, cache: &StatCache) -> Result<()> {
        let learnt = lock(&cache.learnt).clone();
        if learnt.is_empty() {
            return Ok(());
        }
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO stat VALUES (?1, ?2, ?3)")?;
            for (path, (stamp, digest)) in &learnt {
                let path = [cache.prefix.as_slice(), path.as_str().as_bytes()].concat();
                insert.execute(params![path, stamp.to_bytes(), digest.hash()])?;
            }
            drop(insert);
            transaction.commit()
        })
    }

    /// The facts of this kind known about contents. `kind` names their format with its version; damaged ones are none.
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
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(age: Duration, is_kept: bool) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "text").unwrap();
        let metadata = std::fs::metadata(&file).unwrap();
        let (stamp, path) = (Stamp::of(&metadata), RelPath::parse("file").unwrap());
        let changed = SystemTime::UNIX_EPOCH + Duration::from_nanos(stamp.ctime_ns.unsigned_abs());
        let cache = store.stat_cache(dir.path()).unwrap();
        assert_eq!(cache.digest(&path, &stamp), None);
        cache.learn(path.clone(), stamp, Digest::of(b"text"), changed + age);
        store.save_stat_cache(&cache).unwrap();
        let expected = is_kept.then(|| Digest::of(b"text"));
        assert_eq!(cache.digest(&path, &stamp), expected);
        assert_eq!(store.stat_cache(dir.path()).unwrap().digest(&path, &stamp), expected);
        assert_eq!(store.stat_cache(&dir.path().join("other")).unwrap().digest(&path, &stamp), None);
        let other = Stamp { ctime_ns: stamp.ctime_ns + 1, ..stamp };
        assert_eq!(store.stat_cache(dir.path()).unwrap().digest(&path, &other), None);
    }

    #[test]
    fn a_settled_file_is_known_again() {
        check(SECOND, true);
    }

    #[test]
    fn a_file_that_changed_just_now_is_never_trusted() {
        check(Duration::ZERO, false);
        check(SETTLED / 2, false);
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
