//! Memoized results: values that follow from a key alone and are slow to compute, cached in the store under the key.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::base::Digest;
use crate::session::Error;
use crate::store::Store;

/// The value for a key, computed if it is not cached. The key begins with a name and a number, which is raised when values
/// change their form or meaning. Without a key nothing is cached; an unreadable value is computed again.
pub fn memoized<T: Serialize + DeserializeOwned, E: From<Error>>(
    store: &Store,
    key: Option<Value>,
    compute: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let Some(key) = key else { return compute() };
    let key = *Digest::of(key.to_string().as_bytes()).hash();
    let cached = store.index_get(&key).map_err(Error::from)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(cached) = cached {
        return Ok(cached);
    }
    let value = compute()?;
    if let Ok(bytes) = serde_json::to_vec(&value) {
        store.index_put(&key, &bytes).map_err(Error::from)?;
    }
    Ok(value)
}
