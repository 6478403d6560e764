//! The ways out of the process: store, source files, network, engine. Each is opened when it is first asked for.

use std::sync::Arc;

use tokio::runtime::Runtime;
use waders_sandbox::Isolation;

use crate::action::{ActionGraph, Limits, Platform};
use crate::config::typed::{
    AuditSettings, CacheSettings, IsolationChoice, RemoteCacheSettings, SandboxSettings, StoreSettings,
};
use crate::engine::executor::Results;
use crate::engine::local::runner::LocalSettings;
use crate::engine::local::{LocalActionCache, LocalRunner, SandboxVariation, rows};
use crate::engine::remote::execution::WorkerSummary;
use crate::engine::remote::{RemoteCache, Summary};
use crate::engine::{ActionCache, Audit, Cancellation, Engine, LateInputs, Recording, SignedActionCache};
use crate::inference;
use crate::packaging::{recipes, unpackers};
use crate::session::run_log::RunLog;
use crate::session::sources::Sources;
use crate::session::timeline::{Timeline, TimelineSettings};
use crate::session::workers::{self, RemoteWorkers};
use crate::session::{Context, Error, keys, registries, remote};
use crate::store::{Collected, Store};

/// Threads that wait for processes, downloads and each other.
const WORKERS: usize = 4;

/// A graph that was carried out.
#[derive(Clone)]
pub struct Execution {
    /// The steps.
    pub graph: ActionGraph,
    /// The results of the steps that were wanted and of all that these need.
    pub results: Results,
}

/// The services of one run.
pub struct Services {
    context: Arc<Context>,
    store: Option<Arc<Store>>,
    sources: Option<Arc<Sources>>,
    engine: Option<Arc<Engine>>,
    /// The workers of the engine, if it has any.
    workers: RemoteWorkers,
    /// The action cache of the engine, if its entries are signed.
    signed_cache: Option<Arc<SignedActionCache>>,
    /// The remote cache of the engine, if there is one.
    remote_cache: Option<Arc<RemoteCache>>,
    /// The graphs that were carried out, if the run records them.
    executions: Option<Vec<Execution>>,
    runtime: Option<Runtime>,
    /// Whether the user asked to stop.
    pub cancellation: Cancellation,
    /// The steps of this run, for its record.
    pub run_log: Arc<RunLog>,
    /// The times of the steps of this run.
    pub(super) timeline: Arc<Timeline>,
    verifies_sources: bool,
    recording: Option<Arc<Recording>>,
    variation: SandboxVariation,
    audit: Audit,
}

impl Services {
    /// Nothing is opened yet but the threads that carry out steps and listen for signals.
    pub fn new(context: Arc<Context>) -> Result<Services, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
        let run_log = Arc::new(RunLog::start(context.build_root.clone(), context.specs.clone()));
        let audit = if AuditSettings::parse(&context.config).always { Audit::Record } else { Audit::Off };
        let global = context.global();
        let timeline = Timeline::start(TimelineSettings {
            file: global.trace_file.map(|file| context.build_root.join(file)),
            is_otlp: global.trace_is_otlp,
            parent: context.environment.var("TRACEPARENT").map(str::to_owned),
        });
        Ok(Services {
            timeline: Arc::new(timeline),
            context,
            run_log,
            store: None,
            sources: None,
            engine: None,
            workers: RemoteWorkers::default(),
            signed_cache: None,
            remote_cache: None,
            executions: None,
            runtime: Some(runtime.map_err(Error::Threads)?),
            cancellation: Cancellation::default(),
            verifies_sources: false,
            recording: None,
            variation: SandboxVariation::default(),
            audit,
        })
    }

    /// The store; its directory is created if it does not exist.
    pub fn open_store(&mut self) -> Result<Arc<Store>, Error> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let store = Arc::new(Store::open(&self.context.store_dir()?)?);
        self.run_log.set_store(&store);
        self.store = Some(store.clone());
        Ok(store)
    }

    /// The store, if it was opened before.
    pub fn opened_store(&self) -> Option<&Store> {
        self.store.as_deref()
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
        let settings = self.local_settings();
        let mut engine = self.new_engine(settings.clone())?;
        // A run that is compared with another one repeats its steps on this machine.
        if self.recording.is_none() {
            (self.workers, engine.workers) = workers::open(&self.context, &engine.store, &settings);
        }
        let engine = Arc::new(engine);
        self.engine = Some(engine.clone());
        Ok(engine)
    }

    /// An engine with the isolation and the limits of another machine, as far as this one can enforce them. It uses no cache.
    pub fn engine_for(&mut self, platform: &Platform) -> Result<Engine, Error> {
        let isolation = match platform.isolation {
            "no-landlock" => Isolation::NoLandlock,
            _ => Isolation::Full,
        };
        let (limits, namespace) = (platform.limits.clone(), platform.cache_namespace.clone());
        let settings = LocalSettings::new(isolation, limits, self.local_settings().grace, namespace);
        Ok(Engine { use_cache: false, remote: None, ..self.new_engine(settings)? })
    }

    fn new_engine(&mut self, settings: LocalSettings) -> Result<Engine, Error> {
        let store = self.open_store()?;
        let local: Arc<dyn ActionCache> = Arc::new(LocalActionCache::new(store.clone()));
        let trust = keys::cache_trust(&self.context, settings.platform.isolation)?;
        let use_partial_results =
            !self.keeps_executions() && !trust.as_ref().is_some_and(|trust| trust.requires_signatures);
        self.signed_cache = trust.map(|trust| Arc::new(SignedActionCache::new(local.clone(), trust)));
        if self.remote_cache.is_none() {
            let runtime = self.runtime().handle().clone();
            self.remote_cache = remote::open_cache(&self.context, &store, &local, self.signed_cache.as_ref(), runtime);
        }
        Ok(Engine {
            cache: match &self.signed_cache {
                Some(signed) => signed.clone(),
                None => local,
            },
            use_partial_results,
            platform: settings.platform.clone(),
            runner: Arc::new(LocalRunner::new(store.clone(), settings)),
            workers: None,
            remote: self.remote_cache.clone().filter(|_| self.recording.is_none()),
            store,
            use_cache: self.context.global().use_cache,
            recording: self.recording.clone(),
            audit: self.audit,
            shows_output: self.context.global().shows_output,
            preserve: self.context.preserved_sandboxes(),
            late_inputs: LateInputs::default(),
            client: self.context.http_client(),
            logins: registries::logins(&self.context.environment),
            unpackers: unpackers::all(),
            recipes: recipes::all(),
            parallelism: self.parallelism(),
        })
    }

    /// From now on the graphs that are carried out are kept, and every step is carried out or read from the cache as a
    /// whole. Must be called before the engine is opened.
    pub fn keep_executions(&mut self) {
        self.executions.get_or_insert_default();
    }

    /// Whether the graphs that are carried out are kept.
    pub fn keeps_executions(&self) -> bool {
        self.executions.is_some()
    }

    /// Keeps a graph that was carried out, if the run keeps them.
    pub(super) fn add_execution(&mut self, graph: ActionGraph, results: &Results) {
        if let Some(executions) = &mut self.executions {
            executions.push(Execution { graph, results: results.clone() });
        }
    }

    /// The graph that was kept last.
    pub fn last_execution(&self) -> Option<&Execution> {
        self.executions.as_ref()?.last()
    }

    /// Which cached results were not used for lack of a trusted signature, since this was last asked; `None` if there are none.
    pub fn take_untrusted(&self) -> Option<String> {
        let rejected = self.signed_cache.as_ref()?.take_rejected();
        let total: usize = rejected.values().sum();
        let reasons: Vec<String> = rejected.iter().map(|(why, count)| format!("{count} {why}")).collect();
        let noun = if total == 1 { "cached result was" } else { "cached results were" };
        (total > 0).then(|| format!("{total} {noun} not used: {}", reasons.join("; ")))
    }

    /// How many results were not stored for lack of a private key, since this was last asked; `None` if there are none.
    pub fn take_unstored(&self) -> Option<String> {
        let count = self.signed_cache.as_ref()?.take_unstored();
        let noun = if count == 1 { "result was" } else { "results were" };
        (count > 0).then(|| {
            format!("{count} {noun} not stored: this run has no private key, and `[cache] trusted_keys` is set")
        })
    }

    /// The number of results that are not yet stored in the remote cache.
    pub fn pending_uploads(&self) -> usize {
        self.remote_cache.as_ref().map_or(0, |cache| cache.pending_uploads())
    }

    /// Waits until results are stored in the remote cache, as long as the settings say. Returns how many are not.
    pub fn finish_uploads(&self) -> usize {
        let Some(cache) = &self.remote_cache else { return 0 };
        let limit = RemoteCacheSettings::parse(&self.context.config).upload_wait;
        self.runtime().block_on(cache.finish(limit))
    }

    /// What was transferred from and to the remote cache, if there is one.
    pub fn remote_summary(&self) -> Option<Summary> {
        Some(self.remote_cache.as_ref()?.summary())
    }

    /// Problems with the remote cache and with workers since this was last asked.
    pub fn take_remote_warnings(&self) -> Vec<remote::Notice> {
        let cache = self.remote_cache.as_ref().map(|cache| cache.take_warnings()).unwrap_or_default();
        cache.into_iter().chain(self.workers.take_notice()).collect()
    }

    /// What workers ran, if there are any.
    pub fn worker_summary(&self) -> Option<WorkerSummary> {
        self.workers.summary()
    }

    /// Records the steps of the following goals, for a comparison with another run. Every goal then plans its steps, also where
    /// nothing has changed since an earlier run. The sandboxes of steps differ from the usual ones by `variation`.
    pub fn record_for_comparison(&mut self, recording: Arc<Recording>, variation: SandboxVariation) {
        self.context.tracker.mark_untraceable();
        self.recording = Some(recording);
        self.variation = variation;
        self.engine = None;
    }

    /// Whether the steps of this run are recorded.
    pub fn is_recorded(&self) -> bool {
        self.recording.is_some()
    }

    /// From now on every outcome has a read set.
    pub fn require_audit(&mut self) {
        self.audit = Audit::Require;
        self.engine = None;
    }

    /// The one runtime of the process.
    pub fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime exists until the services are dropped")
    }

    /// Whether the user interrupted the run.
    pub fn was_interrupted(&self) -> bool {
        self.cancellation.is_requested()
    }

    /// Whether only signed results of earlier runs are used.
    pub fn requires_signatures(&self) -> bool {
        !CacheSettings::parse(&self.context.config).trusted_keys.is_empty()
    }

    /// Lets other processes shrink the store from now on: this run is over.
    pub fn suspend_store(&self) {
        if let Some(Err(error)) = self.store.as_ref().map(|store| store.suspend(&[])) {
            tracing::warn!("the store stays reserved for this process: {error}");
        }
    }

    /// Records what the run used, and shrinks the store if the run wrote to it and it exceeds its size limit. Nothing of the run
    /// must use the store afterwards. Returns what was removed, if anything was.
    pub fn tidy_store(&mut self) -> Result<Option<Collected>, Error> {
        // Their threads use the store.
        self.engine = None;
        self.remote_cache = None;
        let Some(store) = &self.store else { return Ok(None) };
        let size = store.record_uses()?;
        let settings = StoreSettings::parse(&self.context.config);
        let limit = settings.max_bytes.unwrap_or_else(|| store.default_max_bytes());
        if !settings.auto_gc || self.was_interrupted() || size.is_none_or(|size| size <= limit) {
            return Ok(None);
        }
        // Some room is left, so that the next runs need not shrink it again.
        let collected = store.collect(limit / 5 * 4, &rows::interpret)?;
        Ok((collected.removed_bytes > 0).then_some(collected))
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

    /// The isolation and the limits of steps on this machine.
    pub fn platform(&self) -> Platform {
        self.local_settings().platform
    }

    fn local_settings(&self) -> LocalSettings {
        let sandbox = SandboxSettings::parse(&self.context.config);
        let isolation = match sandbox.isolation {
            IsolationChoice::NoLandlock => Isolation::NoLandlock,
            IsolationChoice::Full => Isolation::Full,
        };
        let limits = Limits {
            scratch_bytes: sandbox.scratch_bytes,
            scratch_inodes: sandbox.scratch_inodes,
            processes: sandbox.processes,
            open_files: sandbox.open_files,
            file_bytes: sandbox.file_bytes,
            memory_bytes: sandbox.memory_bytes,
            process_memory_bytes: sandbox.process_memory_bytes,
        };
        let global = self.context.global();
        let settings =
            LocalSettings::new(isolation, limits, global.grace.unwrap_or(sandbox.grace), global.cache_namespace);
        LocalSettings { variation: self.variation, ..settings }
    }

    /// The number of processes at once: as configured, else the number of cores.
    fn parallelism(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.context.global().parallelism.unwrap_or(cores).max(1)
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
