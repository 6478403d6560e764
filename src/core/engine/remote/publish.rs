//! Storing the results of this machine on a server, in the background. The run waits at its end until they are stored, and not
//! longer than its settings say.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use crate::action::{EncodedAction, Outcome};
use crate::base::Digest;
use crate::engine::action_cache::Needs;
use crate::engine::remote::cas::Content;
use crate::engine::remote::entry::{self, Ingredients, NewEntry};
use crate::engine::remote::renew::Known;
use crate::engine::remote::transfer::blocking;
use crate::engine::remote::{DigestFunction, Error, RemoteCache, RemoteDigest, trees};

/// The number of results that are uploaded at the same time.
const CONCURRENT: usize = 8;

/// Uploads that have not ended.
pub(super) struct Uploads {
    runtime: Handle,
    permits: Semaphore,
    pending: AtomicUsize,
    ended: Notify,
    /// Set after the server refused to store something.
    off: AtomicBool,
}

impl Uploads {
    pub(super) fn new(runtime: Handle) -> Uploads {
        Uploads {
            runtime,
            permits: Semaphore::new(CONCURRENT),
            pending: AtomicUsize::new(0),
            ended: Notify::new(),
            off: AtomicBool::new(false),
        }
    }
}

impl RemoteCache {
    /// Whether results are stored on the server.
    pub(super) fn writes(&self) -> bool {
        self.options.write && !self.uploads.off.load(Ordering::Relaxed) && self.connection.failure().is_none()
    }

    /// Stores the result of an action on the server, in the background, if it is in the local cache.
    pub fn publish(self: &Arc<Self>, action: EncodedAction) {
        let cache = self.clone();
        self.in_background(async move { cache.upload_result(action).await });
    }

    /// Starts an upload, unless nothing can be stored on the server.
    pub(super) fn in_background(self: &Arc<Self>, upload: impl Future<Output = Result<bool, Error>> + Send + 'static) {
        if !self.writes() {
            return;
        }
        self.uploads.pending.fetch_add(1, Ordering::Relaxed);
        let cache = self.clone();
        self.uploads.runtime.spawn(async move {
            let permit = cache.uploads.permits.acquire().await.expect("the semaphore is never closed");
            if cache.writes() {
                match upload.await {
                    Ok(true) => drop(cache.stored.fetch_add(1, Ordering::Relaxed)),
                    Ok(false) => {}
                    Err(error) => cache.upload_failed(&error),
                }
            }
            drop(permit);
            cache.uploads.pending.fetch_sub(1, Ordering::Release);
            cache.uploads.ended.notify_waiters();
        });
    }

    fn upload_failed(&self, error: &Error) {
        tracing::debug!("result not stored on the server: {error}");
        match error {
            // What the store lost meanwhile cannot be uploaded.
            Error::Store(error) if error.missing().is_some() => {}
            error if error.is_refused_write() => {
                if !self.uploads.off.swap(true, Ordering::Relaxed) {
                    self.warnings.add_refused_write(error);
                }
            }
            error => self.warnings.add(error),
        }
    }

    /// The number of uploads that have not ended.
    pub fn pending_uploads(&self) -> usize {
        self.uploads.pending.load(Ordering::Acquire)
    }

    /// Waits for the uploads, and not longer than `limit`. Returns how many have not ended.
    pub async fn finish(&self, limit: Duration) -> usize {
        let all = async {
            loop {
                let ended = self.uploads.ended.notified();
                if self.pending_uploads() == 0 {
                    return;
                }
                ended.await;
            }
        };
        let _ = tokio::time::timeout(limit, all).await;
        self.pending_uploads()
    }

    async fn upload_result(self: Arc<Self>, action: EncodedAction) -> Result<bool, Error> {
        let capabilities = self.connection.capabilities().await?;
        if !capabilities.accepts_results {
            return Err(self.refused());
        }
        let function = capabilities.digest_function;
        let cache = self.clone();
        let (key, local_key) = (function.of(&action.action), action.key());
        let entry = blocking(move || cache.new_entry(&action, function)).await?;
        let Some(NewEntry { result, contents }) = entry else { return Ok(false) };
        self.connection.upload(&self.store, contents).await?;
        self.connection.update_action_result(key, result).await?;
        self.remember_stored(Known::Action(local_key)).await?;
        Ok(true)
    }

    pub(super) fn refused(&self) -> Error {
        Error::Refused {
            address: self.connection.address(),
            call: "UpdateActionResult",
            code: tonic::Code::PermissionDenied,
            message: "it announces that it accepts no results".to_owned(),
        }
    }

    /// The entry for the result of an action in the local cache; `None` if there is none.
    fn new_entry(&self, action: &EncodedAction, function: DigestFunction) -> Result<Option<NewEntry>, Error> {
        let key = action.key();
        let local = |error: crate::engine::Error| Error::Local(error.whole());
        let Some(outcome) = self.local.get(&key, Needs::WholeOutput).map_err(local)? else { return Ok(None) };
        let signature = self.local.signature(&key).map_err(local)?;
        let tree = trees::encode(&self.store, &self.map, function, outcome.output)?;
        let read_set = outcome.audit.as_ref().map(|audit| audit.read_set);
        let blobs: Vec<Digest> = [outcome.stdout, outcome.stderr].into_iter().chain(read_set).collect();
        let remote = self.map.of_blobs(function, &blobs)?;
        let small = self.small_contents(&outcome, &tree, &remote)?;
        let mut entry = entry::new_entry(Ingredients {
            function,
            streams: [remote[&outcome.stdout], remote[&outcome.stderr]],
            read_set: read_set.map(|blob| remote[&blob]),
            outcome: &outcome,
            signature,
            tree,
            small,
        });
        for message in [&action.action, &action.command] {
            entry.contents.insert(function.of(message), Content::Bytes(message.clone()));
        }
        Ok(Some(entry))
    }

    /// The contents that are small enough to be part of the entry.
    fn small_contents(
        &self,
        outcome: &Outcome,
        tree: &trees::EncodedTree,
        remote: &std::collections::HashMap<Digest, RemoteDigest>,
    ) -> Result<BTreeMap<RemoteDigest, Vec<u8>>, Error> {
        let streams = [outcome.stdout, outcome.stderr].map(|blob| (blob, remote[&blob]));
        let files = tree.files.iter().map(|file| (file.local, file.remote));
        let small = streams.into_iter().chain(files).filter(|(blob, _)| entry::may_be_inlined(blob.size_bytes()));
        let mut contents = BTreeMap::new();
        // More than this cannot fit.
        for (blob, remote) in small.take(64) {
            contents.insert(remote, self.store.get(blob)?);
        }
        Ok(contents)
    }
}
