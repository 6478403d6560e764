//! The records of the runs of one checkout, and the lists of steps that they name. Records are numbered from 1 in the order in which
//! they were stored first. The caller defines the contents of both. Each is one record file in `run/<hash of the build root>/`.
//!
//! ```text
//! <number>           a record
//! steps-<hex>        a list of steps, named by the hash of its bytes; runs with equal steps share one
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::record_file::{HEADER_BYTES, Header, RecordFilePath, checkout_name};
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::files;
use crate::store::layout::{Store, make_dir};

const RECORD: Header = Header { magic: b"waders run\0\0", version: 1 };
const STEPS: Header = Header { magic: b"waders steps", version: 1 };

/// This many records of a checkout are kept at least.
pub const KEPT_RUNS: usize = 100;

/// When there are this many, the oldest are removed. Removing them one by one would slow down each run.
const MOST_RUNS: usize = 2 * KEPT_RUNS;

/// When old records are removed, the lists of steps of those that are kept may have this size together; the last run is kept in
/// any case.
const MOST_STEPS_BYTES: u64 = 64 << 20;

/// What earlier runs of the checkout at one build root left.
pub struct Runs<'s> {
    store: &'s Store,
    dir: PathBuf,
}

impl Store {
    /// The records of the checkout at `root`, an absolute path.
    pub fn runs(&self, root: &Path) -> Runs<'_> {
        Runs { store: self, dir: self.root.join("run").join(checkout_name(root)) }
    }
}

impl Runs<'_> {
    /// The numbers of all records, oldest first.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(numbers),
            entries => entries.map_err(Error::io("list", &self.dir))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &self.dir))?;
            numbers.extend(entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The record with this number. `None` if there is none, if it is damaged, or if it has another format.
    pub fn record(&self, number: u64) -> Result<Option<Vec<u8>>> {
        self.load(&self.dir.join(number.to_string()), &RECORD)
    }

    /// A list of steps. `None` if there is none, if it is damaged, or if it has another format.
    pub fn steps(&self, digest: Digest) -> Result<Option<Vec<u8>>> {
        self.load(&self.steps_path(digest), &STEPS)
    }

    /// Stores a list of steps, unless it is stored already.
    pub fn add_steps(&self, steps: &[u8]) -> Result<Digest> {
        let digest = Digest::of(steps);
        let path = self.steps_path(digest);
        if !path.exists() {
            make_dir(&self.dir)?;
            self.store.publish_record_file(&RecordFilePath(path), &sealed(&STEPS, steps))?;
        }
        Ok(digest)
    }

    /// Stores a record under the next free number, which is returned. If there are too many records, the oldest are removed, and
    /// with them the lists of steps that no other record names; `names` answers which lists a record names.
    pub fn add_record(&self, record: &[u8], names: impl Fn(&[u8]) -> Vec<Digest>) -> Result<u64> {
        make_dir(&self.dir)?;
        let numbers = self.numbers()?;
        let mut number = numbers.last().map_or(1, |last| last.saturating_add(1));
        let bytes = sealed(&RECORD, record);
        // Another run that ends at the same time may take the number.
        while !self.store.publish_new_record_file(&RecordFilePath(self.dir.join(number.to_string())), &bytes)? {
            number = number.saturating_add(1);
        }
        if numbers.len() >= MOST_RUNS {
            self.remove_oldest(names)?;
        }
        Ok(number)
    }

    /// Replaces a record that this run has stored.
    pub fn replace_record(&self, number: u64, record: &[u8]) -> Result<()> {
        let path = RecordFilePath(self.dir.join(number.to_string()));
        self.store.publish_record_file(&path, &sealed(&RECORD, record))
    }

    /// Removes a record that this run has stored.
    pub fn remove_record(&self, number: u64) -> Result<()> {
        remove(&self.dir.join(number.to_string()))
    }

    /// Removes all but the last records, and the lists of steps that none of these names. A list that another run has just
    /// stored, before its record, may be among them: the record of that run then names a list that is lost.
    fn remove_oldest(&self, names: impl Fn(&[u8]) -> Vec<Digest>) -> Result<()> {
        let (mut kept, mut bytes) = (BTreeSet::new(), 0);
        for (age, number) in self.numbers()?.into_iter().rev().enumerate() {
            let named = self.record(number)?.map(|record| names(&record)).unwrap_or_default();
            let added = named.iter().filter(|steps| !kept.contains(*steps)).map(Digest::size_bytes).sum::<u64>();
            if age > 0 && (age >= KEPT_RUNS || bytes + added > MOST_STEPS_BYTES) {
                // All older ones are removed, too, so that the numbers that are left have no gap.
                bytes = MOST_STEPS_BYTES.saturating_add(1);
                remove(&self.dir.join(number.to_string()))?;
                continue;
            }
            bytes += added;
            kept.extend(named);
        }
        let kept: BTreeSet<PathBuf> = kept.into_iter().map(|steps| self.steps_path(steps)).collect();
        for entry in fs::read_dir(&self.dir).map_err(Error::io("list", &self.dir))? {
            let path = entry.map_err(Error::io("list", &self.dir))?.path();
            let is_steps = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"steps-"));
            if is_steps && !kept.contains(&path) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    fn steps_path(&self, steps: Digest) -> PathBuf {
        self.dir.join(format!("steps-{}", steps.hex()))
    }

    fn load(&self, path: &Path, header: &Header) -> Result<Option<Vec<u8>>> {
        self.store.load_record_file(&RecordFilePath(path.to_owned()), |mut bytes| {
            Ok(header.check(&bytes)?.then(|| bytes.split_off(HEADER_BYTES)))
        })
    }
}

fn sealed(header: &Header, contents: &[u8]) -> Vec<u8> {
    let mut bytes = header.encode_unsealed();
    bytes.extend(contents);
    Header::seal(&mut bytes);
    bytes
}

/// Removes a file that another process may have removed already.
fn remove(path: &Path) -> Result<()> {
    match files::remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(record: &[u8]) -> Vec<Digest> {
        vec![String::from_utf8_lossy(record).parse().unwrap()]
    }

    fn count(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn runs_with_equal_steps_share_a_list() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let runs = store.runs(Path::new("/root"));
        assert_eq!(runs.numbers().unwrap(), Vec::<u64>::new());
        for number in 1..4 {
            let steps = runs.add_steps(b"steps").unwrap();
            assert_eq!(runs.add_record(steps.to_string().as_bytes(), named).unwrap(), number);
            assert_eq!(runs.steps(steps).unwrap().unwrap(), b"steps");
        }
        assert_eq!(runs.numbers().unwrap(), [1, 2, 3]);
        assert_eq!(count(&runs.dir), 4);
        assert_eq!(store.runs(Path::new("/other")).numbers().unwrap(), Vec::<u64>::new());
        assert_eq!(runs.record(9).unwrap(), None);
    }

    #[test]
    fn the_number_of_files_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let runs = store.runs(Path::new("/root"));
        let mut most = 0;
        for number in 0..450_u32 {
            let steps = runs.add_steps(&(number / 2).to_le_bytes()).unwrap();
            runs.add_record(steps.to_string().as_bytes(), named).unwrap();
            most = most.max(count(&runs.dir));
        }
        let numbers = runs.numbers().unwrap();
        assert!(numbers.len() >= KEPT_RUNS && most <= MOST_RUNS + MOST_RUNS / 2 + 2, "{} {most}", numbers.len());
        assert_eq!(numbers.last(), Some(&450));
        for number in numbers {
            let [steps] = named(&runs.record(number).unwrap().unwrap())[..] else { unreachable!() };
            assert!(runs.steps(steps).unwrap().is_some(), "{number}");
        }
    }

    #[test]
    fn a_damaged_record_is_quarantined() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let runs = store.runs(Path::new("/root"));
        let number = runs.add_record(b"record", |_| Vec::new()).unwrap();
        let path = runs.dir.join(number.to_string());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        assert_eq!(runs.record(number).unwrap(), None);
        assert!(!path.exists());
        assert_eq!(store.take_notices().len(), 1);
    }
}
