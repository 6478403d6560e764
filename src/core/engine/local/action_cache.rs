//! The local action cache: outcomes and their encoded actions, in the store's index. Per-file records are in `per_file`.

use std::sync::Arc;

use crate::action::{Action, EncodedAction, Inputs, Outcome, Platform};
use crate::base::Digest;
use crate::engine::action_cache::{Needs, Remaining};
use crate::engine::local::{index, per_file};
use crate::engine::remote::{STORED, Stored};
use crate::engine::{ActionCache, Error, RecordedResult, signed_cache};
use crate::store::{Result, Store};

/// The kind of the index payloads that contain encoded actions. The number is raised when their format changes.
const ACTIONS: &str = "action-1";

/// The kind of the index payloads that contain the signatures of entries.
const SIGNATURES: &str = "signature-1";

/// The action cache of one store.
pub struct LocalActionCache {
    store: Arc<Store>,
}

impl LocalActionCache {
    /// The action cache in this store.
    pub fn new(store: Arc<Store>) -> LocalActionCache {
        LocalActionCache { store }
    }
}

impl ActionCache for LocalActionCache {
    fn get(&self, key: &Digest, needs: Needs) -> std::result::Result<Option<Outcome>, Error> {
        Ok(outcome(&self.store, key, needs)?)
    }

    fn put(&self, action: &EncodedAction, outcome: &Outcome) -> std::result::Result<(), Error> {
        let key = action.key();
        Ok(index::put_with_note(&self.store, row(&key), outcome, (ACTIONS, key, &to_bytes(action)))?)
    }

    fn put_action(&self, action: &EncodedAction) -> std::result::Result<(), Error> {
        Ok(self.store.save_notes(ACTIONS, &[(action.key(), to_bytes(action))])?)
    }

    fn signature(&self, key: &Digest) -> std::result::Result<Option<Vec<u8>>, Error> {
        Ok(self.store.notes(SIGNATURES, &[*key])?.remove(key))
    }

    fn put_signature(&self, key: &Digest, envelope: &[u8]) -> std::result::Result<(), Error> {
        Ok(self.store.save_notes(SIGNATURES, &[(*key, envelope.to_vec())])?)
    }

    fn action(&self, key: &Digest) -> std::result::Result<Option<EncodedAction>, Error> {
        let bytes = self.store.notes(ACTIONS, &[*key])?.remove(key);
        let action = bytes.and_then(|bytes| from_bytes(&bytes));
        Ok(action.filter(|action| action.key() == *key))
    }

    fn remaining(
        &self,
        action: &Action,
        inputs: &Inputs,
        platform: &Platform,
        key: &Digest,
    ) -> std::result::Result<Remaining, Error> {
        Ok(per_file::remaining(&self.store, action, inputs, platform, key)?)
    }

    fn record_clean(
        &self,
        whole: &Action,
        action: &Action,
        inputs: &Inputs,
        platform: &Platform,
        outcome: &Outcome,
    ) -> std::result::Result<(), Error> {
        Ok(per_file::record(&self.store, whole, action, inputs, platform, outcome)?)
    }

    fn clean_outcome(&self) -> std::result::Result<Outcome, Error> {
        Ok(per_file::clean_outcome(&self.store)?)
    }
}

/// The stored outcome. `None` also if the store lost the part of the output that the caller needs.
fn outcome(store: &Store, key: &Digest, needs: Needs) -> Result<Option<Outcome>> {
    let Some(outcome) = index::get::<Outcome>(store, row(key))? else { return Ok(None) };
    let has_streams = store.contains(outcome.stdout)? && store.contains(outcome.stderr)?;
    let is_complete = has_streams
        && match needs {
            Needs::Outcome => store.directory(outcome.output).is_ok(),
            Needs::WholeOutput => store.directory(outcome.output).is_ok() && store.is_complete(outcome.output)?,
        };
    Ok(is_complete.then_some(outcome))
}

/// The key of the outcome that an encoded action or a signature belongs to.
pub(super) fn owner(kind: &str, row: &crate::store::Row) -> Option<[u8; 32]> {
    let action = match kind {
        ACTIONS => from_bytes(&row.value)?.key(),
        SIGNATURES => signed_cache::signed_action(&row.value)?,
        STORED => match serde_json::from_slice::<Stored>(&row.value).ok()?.action {
            Some(action) => action,
            // The tree of a step.
            None => return Some(row.key),
        },
        _ => return None,
    };
    Some(self::row(&action))
}

/// The result that a store has under a key of a record, complete with its output. `like` is a result of the same kind.
pub fn stored_result(store: &Store, key: &str, like: &RecordedResult) -> Result<Option<RecordedResult>> {
    let Ok(key) = key.parse::<Digest>() else { return Ok(None) };
    Ok(match like {
        RecordedResult::Process(_) => outcome(store, &key, Needs::WholeOutput)?.map(RecordedResult::Process),
        RecordedResult::Network(_) => outcome(store, &key, Needs::WholeOutput)?.map(RecordedResult::Network),
        RecordedResult::Derived(_) => complete_tree(store, &key)?.map(RecordedResult::Derived),
        RecordedResult::Fetched(_) => complete_tree(store, &key)?.map(RecordedResult::Fetched),
    })
}

fn complete_tree(store: &Store, key: &Digest) -> Result<Option<Digest>> {
    let tree: Option<Digest> = index::get(store, *key.hash())?;
    Ok(match tree {
        Some(tree) if store.is_complete(tree)? => Some(tree),
        _ => None,
    })
}

fn row(key: &Digest) -> [u8; 32] {
    index::key("outcome", &key.to_string())
}

/// The format is: length of the command (u32, little-endian), command, action.
fn to_bytes(action: &EncodedAction) -> Vec<u8> {
    let length = u32::try_from(action.command.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], &action.command, &action.action].concat()
}

fn from_bytes(bytes: &[u8]) -> Option<EncodedAction> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (command, action) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some(EncodedAction { command: command.to_vec(), action: action.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoded_action_is_stored_with_its_outcome() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let cache = LocalActionCache::new(store);
        let action = EncodedAction { command: b"command".to_vec(), action: b"action".to_vec() };
        assert_eq!(cache.action(&action.key()).unwrap(), None);
        let outcome = cache.clean_outcome().unwrap();
        cache.put(&action, &outcome).unwrap();
        assert_eq!(cache.action(&action.key()).unwrap(), Some(action.clone()));
        assert_eq!(cache.get(&action.key(), Needs::Outcome).unwrap(), Some(outcome));
        assert_eq!(cache.action(&Digest::of(b"another")).unwrap(), None);
    }
}
