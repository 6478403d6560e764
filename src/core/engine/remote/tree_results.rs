//! The trees of `Fetch` and `Derive` steps on a server: only their digests, because each machine can make the trees again from
//! what is locked. A machine that knows the digests can compute the keys of all steps without downloading a package. The same
//! is done for what other rooms know by a key, as notes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::engine::remote::renew::Known;
use crate::engine::remote::{DigestFunction, Error, RemoteCache, RemoteDigest, reapi};

/// The version of these results; raised when their form changes.
const VERSION: &str = "waders tree 1";

/// What a result contains, as its standard output.
#[derive(Serialize, Deserialize)]
struct TreeResult {
    tree: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    /// The text whose digest is `tree`, if it is a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl RemoteCache {
    /// The tree of a step, if the server knows it. `key` is that of the step in the index of the store.
    pub async fn fetch_tree(&self, key: [u8; 32]) -> Option<Digest> {
        Some(self.find(key).await?.tree)
    }

    /// A note, if the server knows it. `key` is that of the note in the index of the store.
    pub async fn fetch_note(&self, key: [u8; 32]) -> Option<String> {
        let TreeResult { tree, note, .. } = self.find(key).await?;
        note.filter(|note| Digest::of(note.as_bytes()) == tree)
    }

    async fn find(&self, key: [u8; 32]) -> Option<TreeResult> {
        if !self.options.read || self.connection.failure().is_some() {
            return None;
        }
        let found = self.try_find(key).await;
        found.unwrap_or_else(|error| {
            self.warnings.add(&error);
            None
        })
    }

    async fn try_find(&self, key: [u8; 32]) -> Result<Option<TreeResult>, Error> {
        let function = self.connection.capabilities().await?.digest_function;
        let Some(result) = self.connection.action_result(remote_key(function, key)).await? else { return Ok(None) };
        let text = match (&result.stdout_raw[..], &result.stdout_digest) {
            (b"", Some(digest)) => {
                let digest = RemoteDigest::from_message(digest).filter(|digest| digest.size_bytes < 1 << 20);
                let digest = digest.ok_or_else(|| self.unusable("its output has no digest"))?;
                self.connection.read([digest]).await?.remove(&digest).ok_or_else(|| self.lost(digest))?
            }
            (raw, _) => raw.to_vec(),
        };
        let found: TreeResult = serde_json::from_slice(&text).map_err(|error| self.unusable(&error.to_string()))?;
        let signature = found.signature.as_deref().map(str::as_bytes);
        let is_accepted = self.signed.as_ref().is_none_or(|signed| signed.accepts_tree(key, found.tree, signature));
        Ok(is_accepted.then_some(found))
    }

    /// Stores the digest of the tree of a step on the server, in the background.
    pub fn publish_tree(self: &Arc<Self>, key: [u8; 32], tree: Digest) {
        let cache = self.clone();
        self.in_background(async move { cache.upload_tree(key, tree, None).await });
    }

    /// Stores a note on the server, in the background.
    pub fn publish_note(self: &Arc<Self>, key: [u8; 32], note: String) {
        let cache = self.clone();
        let tree = Digest::of(note.as_bytes());
        self.in_background(async move { cache.upload_tree(key, tree, Some(note)).await });
    }

    async fn upload_tree(&self, key: [u8; 32], tree: Digest, note: Option<String>) -> Result<bool, Error> {
        let capabilities = self.connection.capabilities().await?;
        if !capabilities.accepts_results {
            return Err(self.refused());
        }
        let signature = match &self.signed {
            Some(signed) => match signed.sign_tree(key, tree) {
                // Nobody who requires signatures could use it.
                None if signed.requires_signatures() => return Ok(false),
                signature => signature,
            },
            None => None,
        };
        let text =
            serde_json::to_vec(&TreeResult { tree, signature, note }).expect("digests and texts always serialize");
        let result = reapi::ActionResult { stdout_raw: text, ..reapi::ActionResult::default() };
        self.connection.update_action_result(remote_key(capabilities.digest_function, key), result).await?;
        self.remember_stored(Known::Tree(key)).await?;
        // Not counted: these are not results of steps that the user asked for.
        Ok(false)
    }
}

fn remote_key(function: DigestFunction, key: [u8; 32]) -> RemoteDigest {
    function.of(&[VERSION.as_bytes(), b"\0", &key].concat())
}
