//! Machines that share results through a server: each has a store of its own. No process runs here; results are put into the
//! local cache of one machine, as the executor does, and fetched by another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use waders::action::{EncodedAction, Exit, Outcome};
use waders::base::{Digest, RelPath};
use waders::engine::action_cache::Needs;
use waders::engine::local::LocalActionCache;
use waders::engine::remote::{CacheOptions, Connection, ContentBehavior, RemoteCache, RemoteSettings};
use waders::engine::{ActionCache, SignedActionCache, Trust};
use waders::store::{Node, Store, Tree};

/// One machine.
pub(super) struct Machine {
    _dir: tempfile::TempDir,
    pub(super) runtime: Runtime,
    pub(super) store: Arc<Store>,
    pub(super) local: Arc<dyn ActionCache>,
    pub(super) cache: Arc<RemoteCache>,
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) const READS: CacheOptions =
    CacheOptions { read: true, write: false, content: ContentBehavior::Defer, warns: true, renew_after: WEEK };
pub(super) const WRITES: CacheOptions =
    CacheOptions { read: true, write: true, content: ContentBehavior::Defer, warns: true, renew_after: WEEK };

/// Settings with which contents of 100 kB are large.
pub(super) fn settings(address: &str) -> RemoteSettings {
    RemoteSettings { batch_bytes: 100_000, ..RemoteSettings::new(address) }
}

impl Machine {
    pub(super) fn new(address: &str, options: CacheOptions) -> Machine {
        Machine::with(settings(address), options, None)
    }

    pub(super) fn with(settings: RemoteSettings, options: CacheOptions, trust: Option<Trust>) -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let local: Arc<dyn ActionCache> = Arc::new(LocalActionCache::new(store.clone()));
        let signed = trust.map(|trust| Arc::new(SignedActionCache::new(local.clone(), trust)));
        let connection = Arc::new(Connection::new(settings));
        let handle = runtime.handle().clone();
        let cache =
            Arc::new(RemoteCache::new(connection, store.clone(), local.clone(), signed.clone(), options, handle));
        let local = signed.map_or(local, |signed| signed as Arc<dyn ActionCache>);
        Machine { _dir: dir, runtime, store, local, cache }
    }

    /// The same machine in another run, with another server.
    pub(super) fn with_server(&self, address: &str) -> Machine {
        let (store, local) = (self.store.clone(), self.local.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let connection = Arc::new(Connection::new(settings(address)));
        let (options, handle) = (self.cache.options(), runtime.handle().clone());
        let cache = Arc::new(RemoteCache::new(connection, store.clone(), local.clone(), None, options, handle));
        Machine { _dir: tempfile::tempdir().unwrap(), runtime, store, local, cache }
    }

    /// Puts a result into the local cache, and stores it on the server. `files` are those of its output.
    pub(super) fn run(&self, name: &str, stdout: &[u8], files: &[(&str, Vec<u8>)]) -> EncodedAction {
        let action = action(name);
        let mut nodes = BTreeMap::new();
        for (path, bytes) in files {
            let digest = self.store.put(bytes).unwrap();
            nodes.insert(RelPath::parse(path).unwrap(), Node::File { digest, executable: path.ends_with("program") });
        }
        let outcome = Outcome {
            exit: Exit::Code(0),
            stdout: self.store.put(stdout).unwrap(),
            stderr: self.store.put(b"").unwrap(),
            output: self.store.put_tree(&Tree { nodes }).unwrap(),
            wall: Duration::from_millis(1500),
            max_rss_bytes: 0,
            attempts: 1,
            started_from: None,
            audit: None,
        };
        self.local.put(&action, &outcome).unwrap();
        self.cache.publish(action.clone());
        action
    }

    /// Waits for uploads. Returns how many have not ended.
    pub(super) fn finish(&self) -> usize {
        self.runtime.block_on(self.cache.finish(Duration::from_secs(20)))
    }

    /// Fetches a result from the server, and reads it from the local cache.
    pub(super) fn fetch(&self, action: &EncodedAction, needs: Needs) -> Option<Outcome> {
        let found = self.runtime.block_on(self.cache.fetch(action, needs));
        let outcome = self.local.get(&action.key(), needs).unwrap();
        assert_eq!(found, outcome.is_some());
        outcome
    }

    pub(super) fn complete(&self, tree: Digest) -> bool {
        self.runtime.block_on(self.cache.complete([tree]))
    }

    /// What the user would see, with the hints.
    pub(super) fn warnings(&self) -> Vec<String> {
        let join = |(text, hint): (String, Option<String>)| format!("{text} [{}]", hint.unwrap_or_default());
        self.cache.take_warnings().into_iter().map(join).collect()
    }
}

pub(super) fn action(name: &str) -> EncodedAction {
    EncodedAction { command: b"a command".to_vec(), action: name.as_bytes().to_vec() }
}

/// Bytes that do not compress, and that differ by `seed`.
pub(super) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state as u8
    };
    (0..size).map(|_| step(&mut state)).collect()
}
