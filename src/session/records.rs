//! Reads the records of earlier runs of this checkout. They are written by `run_log`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::action::record::RECORD_VERSION;
use crate::action::{RunRecord, StepRecord};
use crate::base::Digest;
use crate::session::{self, Session};
use crate::store::{self, Store};

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No run is recorded.
    #[error("no run of this checkout is recorded in the store `{0}`")]
    NoRuns(String),
    /// A word that names no recorded run.
    #[error("no run `{word}` is recorded: there are the runs {first} to {last}")]
    UnknownRun {
        /// As written.
        word: String,
        /// The number of the oldest run.
        first: u64,
        /// The number of the last run.
        last: u64,
    },
    /// The record of a run is damaged, was removed or has another version.
    #[error("the record of run {0} cannot be read")]
    Unreadable(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoRuns(_) => Some("runs of goals with steps are recorded, such as `test ::`".to_owned()),
            Error::UnknownRun { .. } => Some("`log` lists all runs; `last` is the last one".to_owned()),
            Error::Unreadable(_) => Some("it is damaged, or was written by another version of the program".to_owned()),
            Error::Store(error) => error.hint(),
        }
    }
}

/// The steps of one goal of a run.
pub struct StepList {
    /// The goal.
    pub goal: String,
    /// Whether nothing had changed since the run that these steps belong to.
    pub reused: bool,
    /// The steps; `None` if the list was removed, is damaged or has another version.
    pub steps: Option<Arc<Vec<StepRecord>>>,
}

/// The records of this checkout.
pub struct Records {
    store: Arc<Store>,
    root: std::path::PathBuf,
    lists: Mutex<HashMap<Digest, Option<Arc<Vec<StepRecord>>>>>,
}

impl Records {
    /// Opens the records of the session's checkout.
    pub fn open(session: &mut Session) -> Result<Records, session::Error> {
        let store = session.services.open_store()?;
        Ok(Records::of(store, session.build_root()))
    }

    fn of(store: Arc<Store>, root: &Path) -> Records {
        Records { store, root: root.to_owned(), lists: Mutex::default() }
    }

    /// The numbers of all records, the last one first. An error if there are none.
    pub fn numbers(&self) -> Result<Vec<u64>, Error> {
        let mut numbers = self.store.runs(&self.root).numbers()?;
        numbers.reverse();
        match numbers.is_empty() {
            true => Err(Error::NoRuns(self.store.root().display().to_string())),
            false => Ok(numbers),
        }
    }

    /// The number of the run that a word names: a number, `last`, or `last~N` for the N-th run before the last one.
    pub fn find(&self, word: &str) -> Result<u64, Error> {
        let numbers = self.numbers()?;
        let age = match word.strip_prefix("last") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('~').and_then(|age| age.parse::<usize>().ok()),
            None => None,
        };
        let found = match age {
            Some(age) => numbers.get(age).copied(),
            None => word.parse().ok().filter(|number| numbers.contains(number)),
        };
        let (last, first) = (numbers[0], numbers[numbers.len() - 1]);
        found.ok_or_else(|| Error::UnknownRun { word: word.to_owned(), first, last })
    }

    /// The record of a run.
    pub fn record(&self, number: u64) -> Result<RunRecord, Error> {
        let bytes = self.store.runs(&self.root).record(number)?;
        let record = bytes.and_then(|bytes| serde_json::from_slice::<RunRecord>(&bytes).ok());
        record.filter(|record| record.version == RECORD_VERSION).ok_or(Error::Unreadable(number))
    }

    /// The steps of a run.
    pub fn steps(&self, record: &RunRecord) -> Result<Vec<StepList>, Error> {
        let list = |part: &crate::action::RunPart| {
            let (goal, reused) = (part.goal.clone(), part.reused);
            Ok(StepList { goal, reused, steps: self.list(part.steps)? })
        };
        record.parts.iter().map(list).collect()
    }

    /// Each list is read once.
    fn list(&self, digest: Digest) -> Result<Option<Arc<Vec<StepRecord>>>, Error> {
        let mut lists = self.lists.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(list) = lists.get(&digest) {
            return Ok(list.clone());
        }
        let bytes = self.store.runs(&self.root).steps(digest)?;
        let list = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).map(Arc::new);
        lists.insert(digest, list.clone());
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_number_or_from_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let root = Path::new("/root");
        let records = Records::of(store.clone(), root);
        assert!(matches!(records.find("last"), Err(Error::NoRuns(_))));
        for _ in 0..3 {
            store.runs(root).add_record(b"not a record", |_| Vec::new()).unwrap();
        }
        let find = |word: &str| records.find(word).ok();
        assert_eq!(["1", "3", "last", "last~2"].map(find), [Some(1), Some(3), Some(3), Some(1)]);
        assert_eq!(["0", "4", "last~3", "last~", "lasting", "x", ""].map(find), [None; 7]);
        assert!(matches!(records.record(2), Err(Error::Unreadable(2))));
    }
}
