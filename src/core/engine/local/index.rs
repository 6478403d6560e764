//! Rows of the store's index that the engine owns, in JSON. A row that cannot be read counts as missing. The index itself is in
//! `store`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::Digest;
use crate::store::{Result, Store};

/// The key of a row. Rows of different kinds never have the same key.
pub fn key(kind: &str, text: &str) -> [u8; 32] {
    *Digest::of(format!("{kind}\0{text}").as_bytes()).hash()
}

/// The value of a row.
pub fn get<T: DeserializeOwned>(store: &Store, key: [u8; 32]) -> Result<Option<T>> {
    let bytes = store.index_get(&key)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Writes a row.
pub fn put(store: &Store, key: [u8; 32], value: &impl Serialize) -> Result<()> {
    store.index_put(&key, &to_bytes(value))
}

/// Writes a row and a note about a digest, together.
pub(super) fn put_with_note(
    store: &Store,
    key: [u8; 32],
    value: &impl Serialize,
    note: (&str, Digest, &[u8]),
) -> Result<()> {
    store.index_put_with_note(&key, &to_bytes(value), note)
}

fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("outcomes and digests always serialize")
}
