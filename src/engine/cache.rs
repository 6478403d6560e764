//! What came of earlier steps, kept in the store's index: outcomes by action key, trees by what they were fetched or derived from.
//! A row that cannot be read is a miss.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::action::{Derive, Fetch, Outcome};
use crate::base::Digest;
use crate::engine::each;
use crate::store::{Result, Store};

/// What a row is about, so that keys of different kinds never meet.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Outcome,
    Fetched,
    Derived,
    /// What runs of one kind have learnt (`warm`).
    Lineage,
}

/// How an outcome can be had once more by those who know that the action would be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// Under the key of what was carried out.
    Under(Digest),
    /// There was nothing to carry out: every file is known to be well.
    Nothing,
}

impl Kept {
    /// None where it, or something that it names, is no longer there.
    pub fn outcome(&self, store: &Store) -> Result<Option<Outcome>> {
        match self {
            Kept::Under(key) => whole_outcome(store, key),
            Kept::Nothing => Ok(Some(each::nothing(store)?)),
        }
    }
}

/// None also where the store lost what the process said or the top of what it left.
pub fn outcome(store: &Store, key: &Digest) -> Result<Option<Outcome>> {
    let Some(outcome) = recall::<Outcome>(store, row(Kind::Outcome, &key.to_string()))? else { return Ok(None) };
    let is_there =
        store.contains(outcome.stdout)? && store.contains(outcome.stderr)? && store.directory(outcome.output).is_ok();
    Ok(is_there.then_some(outcome))
}

/// None also where anything of what the process left is lost: for those who are going to read all of it.
pub fn whole_outcome(store: &Store, key: &Digest) -> Result<Option<Outcome>> {
    let outcome = outcome(store, key)?;
    match &outcome {
        Some(Outcome { output, .. }) if !store.is_complete(*output)? => Ok(None),
        _ => Ok(outcome),
    }
}

pub fn keep_outcome(store: &Store, key: &Digest, outcome: &Outcome) -> Result<()> {
    remember(store, row(Kind::Outcome, &key.to_string()), outcome)
}

pub fn tree(store: &Store, key: [u8; 32]) -> Result<Option<Digest>> {
    recall(store, key)
}

pub fn keep_tree(store: &Store, key: [u8; 32], tree: &Digest) -> Result<()> {
    remember(store, key, tree)
}

/// Named by the bytes and by what unpacks them, never by where they came from.
pub fn fetched(fetch: &Fetch) -> [u8; 32] {
    row(Kind::Fetched, &format!("{}\0{}\0{}", fetch.sha256, fetch.unpack, fetch.file_name))
}

/// Named by the function and all that it is given.
pub fn derived(derive: &Derive, parts: &[Digest]) -> [u8; 32] {
    let given = serde_json::json!([derive.recipe, derive.parameters, parts]);
    row(Kind::Derived, &given.to_string())
}

pub fn row(kind: Kind, text: &str) -> [u8; 32] {
    *Digest::of(format!("{kind:?}\0{text}").as_bytes()).hash()
}

pub fn recall<T: DeserializeOwned>(store: &Store, row: [u8; 32]) -> Result<Option<T>> {
    let bytes = store.index_get(&row)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

pub fn remember(store: &Store, row: [u8; 32], value: &impl Serialize) -> Result<()> {
    let bytes = serde_json::to_vec(value).expect("outcomes and digests always serialize");
    store.index_put(&row, &bytes)
}
