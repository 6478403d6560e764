//! The cached trees of `Fetch` and `Derive` steps, in the store's index. An entry that cannot be read is a miss. Outcomes of
//! processes are in `action_cache`.

use crate::action::{Derive, Fetch};
use crate::base::Digest;
use crate::engine::local::index;
use crate::store::{Result, Store};

/// The kind of the index payloads that mark trees of which another machine stated the digest. This machine may not have made them.
pub(super) const KNOWN: &str = "remote-known-1";

/// The key of a fetched tree: the hash of the file and its unpacker, but not the location of the file.
pub(super) fn fetch_key(fetch: &Fetch) -> [u8; 32] {
    index::key("fetched", &format!("{}\0{}\0{}", fetch.sha256, fetch.unpack, fetch.file_name))
}

/// The key of a derived tree: the recipe and all its arguments.
pub(super) fn derive_key(derive: &Derive, parts: &[Digest]) -> [u8; 32] {
    let arguments = serde_json::json!([derive.recipe, derive.parameters, parts]);
    index::key("derived", &arguments.to_string())
}

/// The tree under a key.
pub(super) fn get(store: &Store, key: [u8; 32]) -> Result<Option<Digest>> {
    index::get(store, key)
}

/// Stores a tree under a key.
pub(super) fn put(store: &Store, key: [u8; 32], tree: &Digest) -> Result<()> {
    index::put(store, key, tree)
}

/// Stores a tree under a key, of which only the digest is known.
pub(super) fn put_digest(store: &Store, key: [u8; 32], tree: &Digest) -> Result<()> {
    store.save_notes(KNOWN, &[(*tree, Vec::new())])?;
    put(store, key, tree)
}
