//! The ways out of the process: store, source files, network, engine. Each is opened when it is first asked for.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use waders_sandbox::Isolation;

use crate::engine::{self, Cancellation, Engine};
use crate::inference;
use crate::packaging::{recipes, unpackers};
use crate::session::sources::Sources;
use crate::session::{Context, Error};
use crate::store::Store;

/// Threads that wait for processes, downloads and each other.
const WORKERS: usize = 4;

/// The services of one run.
pub struct Services {
    context: Arc<Context>,
    store: Option<Arc<Store>>,
    sources: Option<Arc<Sources>>,
    engine: Option<Arc<Engine>>,
    runtime: Option<Runtime>,
    /// Whether the user asked to stop.
    pub cancellation: Cancellation,
    verifies_sources: bool,
}

impl Services {
    /// Nothing is opened yet but the threads that carry out steps and listen for signals.
    pub fn new(context: Arc<Context>) -> Result<Services, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
        Ok(Services {
            context,
            store: None,
            sources: None,
            engine: None,
            runtime: Some(runtime.map_err(Error::Threads)?),
            cancellation: Cancellation::default(),
            verifies_sources: false,
        })
    }

    /// The store; its directory is created if it does not exist.
    pub fn open_store(&mut self) -> Result<Arc<Store>, Error> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let store = Arc::new(Store::open(&self.context.store_dir()?)?);
        self.store = Some(store.clone());
        Ok(store)
    }

    /// The repository's files with their digests.
    pub fn open_sources(&mut self) -> Result<Arc<Sources>, Error> {
        if let Some(sources) = &self.sources {
            return Ok(sources.clone());
        }
        let strings = inference::InferenceSettings::from_config(&self.context.config)?.needs_strings();
        let (store, tracker) = (self.open_store()?, self.context.tracker.clone());
        let sources = Sources::open(store, tracker, &self.context.build_root, strings, !self.verifies_sources)?;
        let sources = Arc::new(sources);
        self.sources = Some(sources.clone());
        Ok(sources)
    }

    /// The engine. It starts the process that creates sandboxes when the first step needs one.
    pub fn open_engine(&mut self) -> Result<Arc<Engine>, Error> {
        if let Some(engine) = &self.engine {
            return Ok(engine.clone());
        }
        let engine = Arc::new(Engine {
            store: self.open_store()?,
            spawner: OnceCell::new(),
            client: self.context.http_client(),
            unpackers: unpackers::all(),
            recipes: recipes::all(),
            settings: self.engine_settings(),
        });
        self.engine = Some(engine.clone());
        Ok(engine)
    }

    /// The one runtime of the process.
    pub fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime exists until the services are dropped")
    }

    /// Whether the user interrupted the run.
    pub fn was_interrupted(&self) -> bool {
        self.cancellation.is_requested()
    }

    /// What the store found damaged since this was last asked.
    pub fn take_store_notices(&self) -> Vec<String> {
        self.store.as_ref().map(|store| store.take_notices()).unwrap_or_default()
    }

    /// From now on each source is looked up in the store, also where an earlier run is known to have stored it.
    pub fn verify_sources(&mut self) {
        // A trace of this run would skip that check.
        self.context.tracker.mark_untraceable();
        self.verifies_sources = true;
        self.sources = None;
    }

    /// Whether the store is known to have lost something in this run.
    pub fn verifies_sources(&self) -> bool {
        self.verifies_sources
    }

    /// Forgets the contents of source files: a goal changed some.
    pub fn forget_sources(&mut self) {
        self.sources = None;
    }

    fn engine_settings(&self) -> engine::Settings {
        let config = &self.context.config;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let number = |option| config.integer("sandbox", option).and_then(|number| u64::try_from(number).ok());
        let parallelism = config.integer("GLOBAL", "process_execution_local_parallelism");
        engine::Settings {
            parallelism: parallelism.and_then(|count| usize::try_from(count).ok()).unwrap_or(cores).max(1),
            isolation: match config.text("sandbox", "isolation") {
                Some("no-landlock") => Isolation::NoLandlock,
                _ => Isolation::Full,
            },
            grace: Duration::from_secs(number("grace").unwrap_or(30)),
            scratch_bytes: number("scratch_size").unwrap_or(2 << 30),
            scratch_inodes: number("scratch_inodes").unwrap_or(200_000),
            processes: number("processes").unwrap_or(4096),
            open_files: number("open_files").unwrap_or(65_536),
            file_bytes: number("file_size").unwrap_or(16 << 30),
            memory_bytes: number("memory"),
        }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A download that outlived its step must not delay the end of the process.
            runtime.shutdown_background();
        }
    }
}
