//! What the directories of a workspace held when they were last listed, by what stat(2) says of them: a directory's times
//! change with every name that comes or goes. What is kept of a listing is the caller's matter.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::pack::{Pack, Record};
use super::record_file::Place;
use crate::base::RelPath;
use crate::store::error::Result;
use crate::store::layout::{Store, lock};
use crate::tracked::FileStamp;

/// Shared by any number of threads.
#[derive(Debug)]
pub struct Listings {
    place: Place,
    known: Pack,
    /// Which of the known ones were asked for: the others are of directories that are gone.
    asked: Vec<AtomicBool>,
    learnt: Mutex<Vec<(RelPath, FileStamp, Vec<u8>)>>,
}

impl Listings {
    /// What was learnt of a directory that still has this stamp.
    pub fn known(&self, dir: &RelPath, stamp: &FileStamp) -> Option<&[u8]> {
        let place = self.known.place(dir.as_str().as_bytes())?;
        let record = self.known.record(place).filter(|record| record.stamp == stamp.to_bytes())?;
        self.asked.get(place)?.store(true, Ordering::Relaxed);
        Some(record.note)
    }

    /// Keeps a listing. `stamp` is from before the directory was read, `listed_at` the time of that stat: what could have
    /// changed unseen in between or right after is not kept.
    pub fn learn(&self, dir: RelPath, stamp: FileStamp, listed_at: SystemTime, listing: Vec<u8>) {
        if stamp.is_settled(listed_at) {
            lock(&self.learnt).push((dir, stamp, listing));
        }
    }
}

impl Store {
    /// Of the directories below `root`, an absolute path.
    pub fn listings(&self, root: &Path) -> Result<Listings> {
        let place = self.known_place(root, "directories");
        let known = self.load_pack(&place)?;
        let asked = (0..known.len()).map(|_| AtomicBool::new(false)).collect();
        Ok(Listings { place, known, asked, learnt: Mutex::default() })
    }

    /// For the next run. Does nothing where little was learnt.
    pub fn save_listings(&self, listings: &Listings) -> Result<()> {
        let learnt = std::mem::take(&mut *lock(&listings.learnt));
        if !listings.known.lacks(learnt.len()) {
            return Ok(());
        }
        let asked = listings.known.records().zip(&listings.asked).filter(|(_, asked)| asked.load(Ordering::Relaxed));
        let learnt = learnt.iter().map(|(dir, stamp, listing)| Record {
            path: dir.as_str().as_bytes(),
            stamp: stamp.to_bytes(),
            hash: [0; 32],
            note: listing,
            stored: false,
        });
        let mut records: Vec<Record<'_>> = asked.map(|(record, _)| record).chain(learnt).collect();
        records.sort_by_key(|record| record.path);
        records.dedup_by_key(|record| record.path);
        self.publish_pack(&listings.place, &[0; 32], &records)
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
    fn a_listing_is_known_until_a_name_comes_or_goes() {
        let here = tempfile::tempdir().unwrap();
        let store = Store::open(&here.path().join("store")).unwrap();
        let root = here.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        let stamp = || FileStamp::from_metadata(&fs::metadata(root.join("a")).unwrap());
        let learn = |age: Duration| {
            let listings = store.listings(&root).unwrap();
            listings.learn(dir("a"), stamp(), SystemTime::now() + age, b"names".to_vec());
            store.save_listings(&listings).unwrap();
            store.listings(&root).unwrap().known(&dir("a"), &stamp()).map(<[u8]>::to_vec)
        };
        assert_eq!(learn(Duration::ZERO), None, "it changed just now");
        assert_eq!(learn(Duration::from_secs(1)).as_deref(), Some(b"names".as_slice()));
        let known = || store.listings(&root).unwrap().known(&dir("a"), &stamp()).is_some();
        assert!(known());
        fs::write(root.join("a/new"), "").unwrap();
        assert!(!known());
        assert!(store.listings(&here.path().join("other")).unwrap().known(&dir("a"), &stamp()).is_none());
    }

    #[test]
    fn directories_that_nobody_asks_for_are_forgotten() {
        let here = tempfile::tempdir().unwrap();
        let store = Store::open(&here.path().join("store")).unwrap();
        let stamp = FileStamp::from_metadata(&fs::metadata(here.path()).unwrap());
        let later = SystemTime::now() + Duration::from_secs(1);
        let learn = |learnt: &[&str], asked: &[&str]| {
            let listings = store.listings(here.path()).unwrap();
            learnt.iter().for_each(|path| listings.learn(dir(path), stamp, later, path.as_bytes().to_vec()));
            asked.iter().for_each(|path| assert!(listings.known(&dir(path), &stamp).is_some()));
            store.save_listings(&listings).unwrap();
            let known = store.listings(here.path()).unwrap().known;
            known.records().map(|record| String::from_utf8_lossy(record.path).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(learn(&["b", "a"], &[]), ["a", "b"]);
        assert_eq!(learn(&[], &["a"]), ["a", "b"], "nothing new: nothing is written");
        assert_eq!(learn(&["c"], &["a"]), ["a", "c"]);
    }
}
