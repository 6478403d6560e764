//! Answers that follow from a question alone and take long to work out: kept in the store under the question.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::base::Digest;
use crate::session::Error;
use crate::store::Store;

/// The question begins with a name and a number, which is raised when answers change their form or meaning. Without one
/// nothing is kept; what cannot be read is answered anew.
pub fn remembered<T: Serialize + DeserializeOwned, E: From<Error>>(
    store: &Store,
    question: Option<Value>,
    answer: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let Some(question) = question else { return answer() };
    let key = *Digest::of(question.to_string().as_bytes()).hash();
    let kept = store.recall(&key).map_err(Error::from)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(kept) = kept {
        return Ok(kept);
    }
    let answer = answer()?;
    if let Ok(bytes) = serde_json::to_vec(&answer) {
        store.remember(&key, &bytes).map_err(Error::from)?;
    }
    Ok(answer)
}
