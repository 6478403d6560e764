//! The cache of results on a server, below the local action cache: what is found on the server is verified and put into the
//! local cache, from where it is read. What this machine stores on the server is in `publish`.
//!
//! It is no `ActionCache` itself: that trait is synchronous, because it only reads the index of the store, and a call to a
//! server must not occupy a thread.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prost::Message;
use tokio::runtime::Handle;

use crate::action::{EncodedAction, Outcome};
use crate::base::Digest;
use crate::engine::action_cache::Needs;
use crate::engine::remote::entry::{self, Extra, Parts};
use crate::engine::remote::publish::Uploads;
use crate::engine::remote::renew::Known;
use crate::engine::remote::transfer::blocking;
use crate::engine::remote::trees::{self, DecodedTree};
use crate::engine::remote::warnings::Warnings;
use crate::engine::remote::{Connection, DigestFunction, DigestMap, Error, RemoteDigest, Wanted, lazy, reapi};
use crate::engine::{ActionCache, SignedActionCache};
use crate::store::Store;

/// What the cache of a server is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// Whether results are read from the server.
    pub read: bool,
    /// Whether results of this machine are stored on the server.
    pub write: bool,
    /// When outputs are downloaded.
    pub content: ContentBehavior,
    /// Whether problems are reported.
    pub warns: bool,
    /// After this time, a result that this machine has is stored on the server again.
    pub renew_after: Duration,
}

/// When the outputs of cached results are downloaded. Outputs that the user or a step needs are always downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentBehavior {
    /// All, at once.
    Fetch,
    /// Only when they are needed, but a result counts only if the server has all of them.
    Validate,
    /// Only when they are needed. If they are lost then, the step is carried out again.
    Defer,
}

/// What came from the server and went to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number of results that were used.
    pub hits: usize,
    /// The number of results that were stored.
    pub stored: usize,
    /// The bytes that were received.
    pub received_bytes: u64,
    /// The bytes that were sent.
    pub sent_bytes: u64,
}

/// The cache of results on a server.
pub struct RemoteCache {
    pub(super) connection: Arc<Connection>,
    pub(super) store: Arc<Store>,
    pub(super) local: Arc<dyn ActionCache>,
    pub(super) signed: Option<Arc<SignedActionCache>>,
    pub(super) options: CacheOptions,
    pub(super) map: DigestMap,
    pub(super) uploads: Uploads,
    pub(super) warnings: Warnings,
    pub(super) stored: AtomicUsize,
    hits: AtomicUsize,
}

impl RemoteCache {
    /// A cache below `local`, the action cache of `store`. `signed` checks entries, if they must be signed. Uploads run on
    /// `runtime`. Nothing is connected yet.
    pub fn new(
        connection: Arc<Connection>,
        store: Arc<Store>,
        local: Arc<dyn ActionCache>,
        signed: Option<Arc<SignedActionCache>>,
        options: CacheOptions,
        runtime: Handle,
    ) -> RemoteCache {
        RemoteCache {
            map: DigestMap::new(store.clone()),
            uploads: Uploads::new(runtime),
            warnings: Warnings::default(),
            stored: AtomicUsize::new(0),
            hits: AtomicUsize::new(0),
            connection,
            store,
            local,
            signed,
            options,
        }
    }

    /// The connection to the server.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// What the cache is used for.
    pub fn options(&self) -> CacheOptions {
        self.options
    }

    /// What came from the server and went to it so far.
    pub fn summary(&self) -> Summary {
        let traffic = &self.connection.traffic;
        Summary {
            hits: self.hits.load(Ordering::Relaxed),
            stored: self.stored.load(Ordering::Relaxed),
            received_bytes: traffic.received_bytes.load(Ordering::Relaxed),
            sent_bytes: traffic.sent_bytes.load(Ordering::Relaxed),
        }
    }

    /// What went wrong since this was last asked: messages with hints.
    pub fn take_warnings(&self) -> Vec<(String, Option<String>)> {
        if !self.options.warns {
            return Vec::new();
        }
        let failure = self.connection.failure();
        self.warnings.take(failure.as_ref())
    }

    fn reads(&self) -> bool {
        self.options.read && self.connection.failure().is_none()
    }

    /// Looks for the result of an action on the server, and puts it into the local cache with as much of its output as the
    /// caller needs. Returns whether there is one. Problems are a miss, and are reported later.
    pub async fn fetch(&self, action: &EncodedAction, needs: Needs) -> bool {
        if !self.reads() {
            return false;
        }
        match self.try_fetch(action, needs).await {
            Ok(true) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::debug!(key = %action.key(), "result of the server not used: {error}");
                self.warnings.add(&error);
                false
            }
        }
    }

    async fn try_fetch(&self, action: &EncodedAction, needs: Needs) -> Result<bool, Error> {
        let function = self.connection.capabilities().await?.digest_function;
        let Some(result) = self.connection.action_result(function.of(&action.action)).await? else { return Ok(false) };
        // A result of another program, such as a worker.
        let Some(parts) = Parts::of(&result, function) else { return Ok(false) };
        let Some(extra) = self.extra(&result, function).await? else { return Ok(false) };
        let outcome = self.outcome(&result, &extra)?;
        let key = action.key();
        if let Some(signed) = &self.signed
            && !signed.accepts(&key, &outcome, extra.signature.as_deref())
        {
            return Ok(false);
        }
        let mut contents: BTreeMap<RemoteDigest, Vec<u8>> =
            extra.inlined.into_iter().map(|bytes| (function.of(&bytes), bytes)).collect();
        let needed: BTreeSet<RemoteDigest> = parts.all().filter(|digest| !contents.contains_key(digest)).collect();
        if !needed.is_empty() {
            contents.extend(self.connection.read(needed).await?);
        }
        let tree = self.decode(&parts, outcome.output, function, &contents)?;
        let put = {
            let (local, action, outcome) = (self.local.clone(), action.clone(), outcome.clone());
            move || {
                // As when it is made here: an entry is never seen without its signature.
                if let Some(signature) = extra.signature {
                    local.put_signature(&action.key(), &signature)?;
                }
                local.put(&action, &outcome)
            }
        };
        self.bring(&outcome, needs, (&tree, &parts), contents, put).await?;
        self.write_in_background();
        if self.options.write {
            self.remember_stored(Known::Action(key)).await?;
        }
        Ok(true)
    }

    /// Writes what was received to the disk while the run goes on. What fails is tried again by `settle`.
    fn write_in_background(&self) {
        let store = self.store.clone();
        drop(tokio::task::spawn_blocking(move || store.write_late_unless_busy()));
    }

    /// Makes everything that was received durable. A run that is killed before that receives it again.
    pub async fn settle(&self) {
        let store = self.store.clone();
        if let Err(error) = blocking(move || Ok(store.write_late()?)).await {
            self.warnings.add(&error);
        }
    }

    async fn extra(&self, result: &reapi::ActionResult, function: DigestFunction) -> Result<Option<Extra>, Error> {
        let Some(file) = entry::file(result, entry::ENTRY) else { return Ok(None) };
        let Some(digest) = file.digest.as_ref().and_then(RemoteDigest::from_message) else { return Ok(None) };
        let bytes = match function.of(&file.contents) == digest {
            true => file.contents.clone(),
            // Servers may leave out the content.
            false => self.connection.read([digest]).await?.remove(&digest).ok_or_else(|| self.lost(digest))?,
        };
        Ok(Some(Extra::decode(&bytes[..]).map_err(|error| self.unusable(&error.to_string()))?))
    }

    fn outcome(&self, result: &reapi::ActionResult, extra: &Extra) -> Result<Outcome, Error> {
        let outcome: Outcome =
            serde_json::from_slice(&extra.outcome).map_err(|error| self.unusable(&error.to_string()))?;
        if entry::exit_code(&outcome) != result.exit_code {
            return Err(self.unusable("its exit code is not that of its outcome"));
        }
        Ok(outcome)
    }

    fn decode(
        &self,
        parts: &Parts,
        tree: Digest,
        function: DigestFunction,
        contents: &BTreeMap<RemoteDigest, Vec<u8>>,
    ) -> Result<DecodedTree, Error> {
        let message = contents.get(&parts.tree).ok_or_else(|| self.lost(parts.tree))?;
        let digests = match parts.digests {
            Some(digest) => contents.get(&digest).ok_or_else(|| self.lost(digest))?.as_slice(),
            None => b"",
        };
        trees::decode(function, tree, message, digests).map_err(|why| self.unusable(&why))
    }

    /// Stores the parts of a result and, if they are needed, its files. Then `put` stores the result itself.
    async fn bring(
        &self,
        outcome: &Outcome,
        needs: Needs,
        (tree, parts): (&DecodedTree, &Parts),
        contents: BTreeMap<RemoteDigest, Vec<u8>>,
        put: impl FnOnce() -> Result<(), crate::engine::Error> + Send + 'static,
    ) -> Result<(), Error> {
        let is_here = |digest: &RemoteDigest| contents.contains_key(digest);
        let brings_all = needs == Needs::WholeOutput || self.options.content == ContentBehavior::Fetch;
        let elsewhere: Vec<Wanted> = tree
            .files
            .iter()
            .filter(|file| !is_here(&file.remote))
            .map(|file| Wanted { remote: file.remote, local: Some(file.local), executable: file.executable })
            .collect();
        if brings_all {
            self.connection.download(&self.store, &elsewhere).await?;
        } else if self.options.content == ContentBehavior::Validate {
            let digests: Vec<RemoteDigest> = elsewhere.iter().map(|wanted| wanted.remote).collect();
            if let Some(lost) = self.connection.find_missing(&digests).await?.first() {
                return Err(self.lost(*lost));
            }
        }
        let function = self.connection.capabilities().await?.digest_function;
        let mut expected = vec![(parts.stdout, outcome.stdout), (parts.stderr, outcome.stderr)];
        expected.extend(parts.read_set.zip(outcome.audit.as_ref().map(|audit| audit.read_set)));
        let streams = expected.into_iter().map(|(remote, local)| (remote, local, false));
        let files = tree.files.iter().filter(|file| is_here(&file.remote));
        let files = files.map(|file| (file.remote, file.local, file.executable));
        let here: Vec<(RemoteDigest, Digest, bool)> = streams.chain(files).collect();
        let (store, address) = (self.store.clone(), self.connection.address());
        let (levels, lazy_files) = (tree.levels.clone(), if brings_all { Vec::new() } else { tree.files.clone() });
        let (map, root, place) = (self.map.clone(), outcome.output, lazy::Place::new(function, parts));
        blocking(move || {
            let mut batch = store.late_batch();
            for (remote, local, executable) in here {
                let bytes = contents.get(&remote).map(Vec::as_slice);
                let bytes = bytes.or((remote.size_bytes == 0).then_some(b"")).ok_or(remote);
                let bytes = bytes.map_err(|digest| Error::Missing { address: address.clone(), digest })?;
                if batch.put(bytes, executable)? != local {
                    return Err(Error::WrongBytes { address, digest: remote });
                }
            }
            for level in &levels {
                batch.put_level(level)?;
            }
            if !lazy_files.is_empty() {
                lazy::remember(&store, &map, function, root, place, &lazy_files)?;
            }
            batch.commit()?;
            put().map_err(|error| Error::Local(error.whole()))
        })
        .await
    }

    /// Downloads what the store does not have of these trees. Returns whether they are complete now.
    pub async fn complete(&self, trees: impl IntoIterator<Item = Digest>) -> bool {
        if !self.reads() {
            return false;
        }
        for tree in trees {
            match lazy::complete(self, tree).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => {
                    tracing::debug!(%tree, "tree not completed from the server: {error}");
                    self.warnings.add(&error);
                    return false;
                }
            }
        }
        true
    }

    pub(super) fn lost(&self, digest: RemoteDigest) -> Error {
        Error::Missing { address: self.connection.address(), digest }
    }

    pub(super) fn unusable(&self, why: &str) -> Error {
        Error::Result { address: self.connection.address(), why: why.to_owned() }
    }
}
