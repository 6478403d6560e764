//! Executes a graph: each step is carried out at most once, after the steps that it needs, with as many steps at a time as the
//! slots allow. Steps that are not needed, and steps whose results are cached, are not carried out. How a process runs is in
//! `local`.

mod compared;
mod elsewhere;
mod placement;
mod restore;
mod shown;
mod without_process;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::task::JoinSet;

use crate::action::{
    Action, ActionGraph, CacheUse, EncodedAction, Event, Inputs, Origin, Outcome, Source, Step, StepId, StepOrigin,
    key, state_key,
};
use crate::base::Digest;
use crate::engine::action_cache::{ActionCache, Cached, Needs, Remaining};
use crate::engine::recording::GraphPlace;
use crate::engine::runner::Run;
use crate::engine::slots::Slots;
use crate::engine::{Audit, Cancellation, Engine, Error, LiveOutput, step_record};
use crate::store::Store;

/// The number of concurrent downloads. More do not speed up downloads from one host, and with fewer it is sometimes idle.
const DOWNLOADS: usize = 8;

/// Of the standard error of a step that another one needs, this much is part of the error message.
const STDERR_BYTES: usize = 64 << 10;

/// The result of a step: its tree, and for a process its outcome.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// The output of the step.
    pub tree: Digest,
    /// For a process, its outcome and where that comes from.
    pub outcome: Option<(Origin, Outcome)>,
    /// How the outcome can be read again. `None` if it is not cached or must not be reused.
    pub cached: Option<Cached>,
    /// Where the result comes from, and how the cache was used.
    pub source: (StepOrigin, CacheUse),
}

impl StepResult {
    /// The result of a step without a process; whether it was carried out, and whether the cache was asked first.
    fn from_tree(tree: Digest, executed: bool, read: bool) -> StepResult {
        let origin = if executed { StepOrigin::Executed } else { StepOrigin::Cached };
        let cache = CacheUse { read, written: executed, ..CacheUse::default() };
        StepResult { tree, outcome: None, cached: None, source: (origin, cache) }
    }

    fn from_process(origin: Origin, outcome: Outcome, cached: Option<Cached>, cache: CacheUse) -> StepResult {
        let from = match (origin, &cached) {
            (Origin::Ran | Origin::RanRemotely, _) => StepOrigin::Executed,
            (Origin::Cached, Some(Cached::Clean)) => StepOrigin::Clean,
            (Origin::Cached | Origin::CachedRemotely, _) => StepOrigin::Cached,
        };
        StepResult { tree: outcome.output, outcome: Some((origin, outcome)), cached, source: (from, cache) }
    }

    /// Reads the result of an earlier run without its action. `None` if it is no longer in the cache.
    pub fn read_again(cache: &dyn ActionCache, cached: &Cached) -> Result<Option<StepResult>, Error> {
        let outcome = match cached {
            Cached::Under(key) => cache.get(key, Needs::WholeOutput)?,
            Cached::Clean => Some(cache.clean_outcome()?),
        };
        let cache_use = CacheUse { read: true, ..CacheUse::default() };
        Ok(outcome.map(|outcome| StepResult::from_process(Origin::Cached, outcome, Some(cached.clone()), cache_use)))
    }
}

/// Results by step.
pub type Results = BTreeMap<StepId, Result<StepResult, Arc<Error>>>;

/// The execution of one graph.
struct Execution {
    engine: Arc<Engine>,
    graph: ActionGraph,
    wanted: BTreeSet<StepId>,
    /// Set if the steps are recorded.
    place: Option<GraphPlace>,
    cells: Vec<OnceCell<Result<StepResult, Arc<Error>>>>,
    slots: Slots,
    /// The slots of the workers.
    worker_slots: Slots,
    downloads: Semaphore,
    /// Held while a lost tree is restored, so that it is restored only once.
    repair: Mutex<()>,
    cancellation: Cancellation,
    events: Box<dyn Fn(Event) + Send + Sync>,
}

/// Carries out the wanted steps and all steps that they need. Returns the results of all of them. `events` is called from
/// several threads.
pub async fn execute(
    engine: Arc<Engine>,
    graph: ActionGraph,
    wanted: &[StepId],
    cancellation: Cancellation,
    events: impl Fn(Event) + Send + Sync + 'static,
) -> Results {
    let execution = Arc::new(Execution {
        wanted: wanted.iter().copied().collect(),
        place: engine.recording.as_ref().map(|recording| recording.place(&graph, wanted.iter().copied())),
        cells: graph.ids().map(|_| OnceCell::new()).collect(),
        slots: Slots::new(engine.parallelism.max(1)),
        worker_slots: Slots::new(engine.workers.as_ref().map_or(1, |workers| workers.parallelism.max(1))),
        downloads: Semaphore::new(DOWNLOADS),
        repair: Mutex::new(()),
        cancellation,
        events: Box::new(events),
        graph,
        engine,
    });
    let mut tasks = JoinSet::new();
    let mut wanted = wanted.to_vec();
    if execution.engine.recording.as_ref().is_some_and(|recording| recording.reversed) {
        wanted.reverse();
    }
    for id in wanted {
        let execution = execution.clone();
        tasks.spawn(async move { drop(execution.result(id).await) });
    }
    tasks.join_all().await;
    if let Some(remote) = &execution.engine.remote {
        remote.settle().await;
    }
    let result = |id: StepId| Some((id, execution.cells[id.index()].get()?.clone()));
    execution.graph.ids().filter_map(result).collect()
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Execution {
    /// The result of a step. The first caller computes it; the others wait for it.
    fn result(self: Arc<Self>, id: StepId) -> Pending<'static, Result<StepResult, Arc<Error>>> {
        Box::pin(async move {
            let compute = self.clone().compute(id);
            self.cells[id.index()].get_or_init(|| async { compute.await.map_err(Arc::new) }).await.clone()
        })
    }

    async fn compute(self: Arc<Self>, id: StepId) -> Result<StepResult, Error> {
        let trees = match self.clone().needs(id).await {
            Ok(trees) => trees,
            Err(error) => {
                (self.events)(Event::Dropped { id });
                self.record(id, Err(&error));
                return Err(error);
            }
        };
        let result = self.carry_out(id, &trees).await;
        let result = match result {
            Err(error) if error.missing().is_some() => self.clone().restore(id, &trees, error).await,
            result => result,
        };
        self.report_result(id, &result);
        self.record(id, result.as_ref());
        result
    }

    fn record(&self, id: StepId, result: Result<&StepResult, &Error>) {
        let is_success = |outcome: &Outcome| self.is_success(id, outcome);
        let record = step_record::record(self.graph.step(id), self.wanted.contains(&id), result, is_success);
        (self.events)(Event::Recorded { id, needs: self.graph.needs(id).collect(), record: Box::new(record) });
    }

    /// Reports the end of a step, unless `report_end` has reported it with its outcome.
    fn report_result(&self, id: StepId, result: &Result<StepResult, Error>) {
        match result {
            Ok(StepResult { outcome: Some(_), .. }) => {}
            Ok(_) => (self.events)(Event::Done { id, label: self.label(id) }),
            Err(Error::Interrupted | Error::Needs { .. }) => (self.events)(Event::Dropped { id }),
            Err(error) => {
                tracing::error!(step = %self.label(id), "step failed: {}", error.whole());
                (self.events)(Event::Failed { id, label: self.label(id), message: error.whole() });
            }
        }
    }

    /// The output trees of the steps that this one uses.
    async fn needs(self: Arc<Self>, id: StepId) -> Result<BTreeMap<StepId, Digest>, Error> {
        let mut tasks = JoinSet::new();
        for need in self.graph.needs(id) {
            let execution = self.clone();
            tasks.spawn(async move { (need, execution.result(need).await) });
        }
        // Sorted, so that the same failure is reported every time if there are several.
        let results: BTreeMap<StepId, _> = tasks.join_all().await.into_iter().collect();
        results.into_iter().map(|(need, result)| Ok((need, self.usable(need, result)?))).collect()
    }

    fn is_success(&self, id: StepId, outcome: &Outcome) -> bool {
        match self.graph.step(id) {
            Step::Run(action) => action.policy.is_success(outcome.exit),
            _ => true,
        }
    }

    /// The tree of a needed step, unless the step failed.
    fn usable(&self, need: StepId, result: Result<StepResult, Arc<Error>>) -> Result<Digest, Error> {
        let label = || self.label(need).to_string();
        let result = result.map_err(|cause| match &*cause {
            Error::Interrupted => Error::Interrupted,
            _ => Error::Needs { label: label(), cause },
        })?;
        match &result.outcome {
            Some((_, outcome)) if !self.is_success(need, outcome) => {
                let stderr = self.engine.store.excerpt(outcome.stderr, STDERR_BYTES).unwrap_or_default();
                Err(Error::NeedFailed { label: label(), exit: outcome.exit, stderr })
            }
            _ => Ok(result.tree),
        }
    }

    async fn carry_out(&self, id: StepId, trees: &BTreeMap<StepId, Digest>) -> Result<StepResult, Error> {
        match self.graph.step(id) {
            Step::Fetch(fetch) => self.fetch(id, fetch, true).await,
            Step::Derive(derive) => self.derive(id, derive, trees, true).await,
            Step::Run(action) => self.run(id, action, trees, true).await,
        }
    }

    async fn run(
        &self,
        id: StepId,
        action: &Action,
        trees: &BTreeMap<StepId, Digest>,
        reuse: bool,
    ) -> Result<StepResult, Error> {
        let images = action.command.images.iter().map(|(at, source)| (at.clone(), resolve(*source, trees))).collect();
        let inputs = Inputs { root: resolve(action.command.input_root, trees), images };
        let (cache, platform) = (&self.engine.cache, &self.engine.platform);
        if self.repeats() {
            return self.repeat(id, action, &inputs).await;
        }
        let reuse = reuse && self.uses_cache(id) && action.policy.cache.read && !action.command.terminal;
        if !reuse {
            return self.run_now(id, action, action, &inputs, false).await;
        }
        let whole_key = key(&action.command, &inputs, platform);
        let whole = CacheUse { key: Some(whole_key), read: true, ..CacheUse::default() };
        if let Some((origin, outcome)) = self.cached_anywhere(id, action, &inputs, &whole_key).await? {
            self.compare_process(id, action, &inputs, &outcome);
            return Ok(self.reused(id, action, (origin, outcome), Cached::Under(whole_key), whole));
        }
        if self.place.is_some() {
            // A part of the action has another key, under which a repeated run would not find it.
            return self.run_now(id, action, action, &inputs, true).await;
        }
        // A file that is known to be clean has no read set, and the result of a part is of no use to other machines.
        let may_split = self.engine.use_partial_results && self.audit(id) != Audit::Require && !self.publishes();
        let remaining = match may_split {
            true => cache.remaining(action, &inputs, platform, &whole_key)?,
            false => Remaining::All,
        };
        match remaining {
            Remaining::All => self.run_now(id, action, action, &inputs, true).await,
            Remaining::None => {
                cache.put_action(&EncodedAction::new(&action.command, &inputs, platform))?;
                Ok(self.reused(id, action, (Origin::Cached, cache.clean_outcome()?), Cached::Clean, whole))
            }
            Remaining::Some(part) => {
                let part_key = key(&part.command, &inputs, platform);
                let cache_use = CacheUse { part_key: Some(part_key), ..whole };
                match self.cached(id, &part_key)? {
                    Some(outcome) => {
                        Ok(self.reused(id, &part, (Origin::Cached, outcome), Cached::Under(part_key), cache_use))
                    }
                    None => self.run_now(id, action, &part, &inputs, true).await,
                }
            }
        }
    }

    /// Runs `action`, which is `whole` or a part of it. The result is marked as cached only if it is `reusable`.
    async fn run_now(
        &self,
        id: StepId,
        whole: &Action,
        action: &Action,
        inputs: &Inputs,
        reusable: bool,
    ) -> Result<StepResult, Error> {
        let (cache, platform) = (&self.engine.cache, &self.engine.platform);
        let Action { command, policy } = action;
        let place = self.place(id, action).await;
        self.refuse_if_cancelled()?;
        let label: Arc<str> = policy.label.as_str().into();
        (self.events)(Event::Started { id, label: label.clone() });
        self.write_inputs(&policy.label, inputs.images.values().copied())?;
        let audit = self.audit(id);
        let has_state =
            self.uses_cache(id) && self.engine.use_partial_results && !self.repeats() && audit != Audit::Require;
        let state_key = state_key(action, inputs, platform).filter(|_| has_state);
        let (audit, reuse) = (audit != Audit::Off, reusable && policy.cache.read);
        let show = |text| (self.events)(Event::Line { label: label.clone(), text });
        let live = self.engine.shows_output.then(|| LiveOutput::new(&show));
        let live = live.as_ref().filter(|_| !command.terminal);
        let run = Run { action, inputs, state_key, audit, reuse, live, cancellation: &self.cancellation };
        // The process can start before its input root is stored, because its sources are copied from their blobs. The tree is
        // stored for later runs.
        let (written, outcome) =
            tokio::join!(self.write_while_running(&policy.label, inputs.root), self.run_at(place, run));
        let (origin, outcome) = written.and(outcome)?;
        if let Some(live) = live {
            tokio::task::block_in_place(|| live.finish(&self.engine.store, &outcome))?;
        }
        let encoded = EncodedAction::new(command, inputs, platform);
        let success = policy.is_success(outcome.exit);
        if self.engine.preserve.includes(success) {
            let path = self.engine.preserve.preserve(&self.engine.store, action, inputs, &outcome)?;
            (self.events)(Event::Preserved { label: label.clone(), path });
        }
        self.show_output(policy, &outcome);
        let disturbed = outcome.audit.as_ref().is_some_and(|audit| audit.disturbed);
        let may_store = self.uses_cache(id) && !self.repeats() && !disturbed;
        let asked = policy.channel.as_ref().is_some_and(|channel| channel.has_answered());
        let stored = success && policy.cache.write && may_store && !asked && !command.terminal;
        self.compare_process(id, action, inputs, &outcome);
        if stored {
            cache.put(&encoded, &outcome)?;
            cache.record_clean(whole, action, inputs, platform, &outcome)?;
            self.publish(origin, &encoded);
        } else {
            cache.put_action(&encoded)?;
        }
        let key = encoded.key();
        let whole_action = (!std::ptr::eq(whole, action)).then(|| EncodedAction::new(&whole.command, inputs, platform));
        if let Some(whole_action) = &whole_action {
            cache.put_action(whole_action)?;
        }
        tracing::info!(step = %label, exit = %outcome.exit, seconds = outcome.wall.as_secs_f64(), %key, "step ran");
        self.report_end(id, label, origin, &outcome);
        let cached = (stored && reusable).then_some(Cached::Under(key));
        let part_key = whole_action.is_some().then_some(key);
        let whole_key = whole_action.map_or(key, |whole_action| whole_action.key());
        let cache_use = CacheUse { key: Some(whole_key), part_key, read: reusable, written: stored };
        Ok(StepResult::from_process(origin, outcome, cached, cache_use))
    }

    /// Whether the outcome of a step is cached. Steps that only others need, such as the compilation of packages, are cached in
    /// any case.
    fn uses_cache(&self, id: StepId) -> bool {
        self.engine.use_cache || !self.wanted.contains(&id)
    }

    /// The cached outcome. The whole output is required only for a wanted step, because its caller reads it.
    fn cached(&self, id: StepId, key: &Digest) -> Result<Option<Outcome>, Error> {
        let outcome = self.engine.cache.get(key, self.output_needs(id))?;
        match outcome {
            Some(outcome) if self.audit(id) == Audit::Require && !self.has_read_set(&outcome)? => Ok(None),
            outcome => Ok(outcome),
        }
    }

    fn has_read_set(&self, outcome: &Outcome) -> Result<bool, Error> {
        let read_set = outcome.audit.as_ref().map(|audit| audit.read_set);
        Ok(read_set.map_or(Ok(false), |read_set| self.engine.store.contains(read_set))?)
    }

    /// Whether a step is audited. Steps that only others need are not.
    fn audit(&self, id: StepId) -> Audit {
        match self.graph.step(id) {
            Step::Run(action) if self.wanted.contains(&id) && !action.command.terminal => self.engine.audit,
            _ => Audit::Off,
        }
    }

    fn reused(
        &self,
        id: StepId,
        action: &Action,
        (origin, outcome): (Origin, Outcome),
        cached: Cached,
        cache_use: CacheUse,
    ) -> StepResult {
        tracing::debug!(step = action.policy.label, ?cached, "step cached");
        self.report_end(id, action.policy.label.as_str().into(), origin, &outcome);
        StepResult::from_process(origin, outcome, Some(cached), cache_use)
    }

    async fn write_while_running(&self, label: &str, tree: Digest) -> Result<(), Error> {
        let (store, label) = (self.engine.store.clone(), label.to_owned());
        blocking(move || write_input(&store, &label, tree)).await
    }

    /// Writes trees whose bytes are not yet in the store: so far only their digests were computed.
    fn write_inputs(&self, label: &str, mut trees: impl Iterator<Item = Digest>) -> Result<(), Error> {
        tokio::task::block_in_place(|| trees.try_for_each(|tree| write_input(&self.engine.store, label, tree)))
    }

    /// Reports a wanted step as finished with its outcome, and any other step as done.
    fn report_end(&self, id: StepId, label: Arc<str>, origin: Origin, outcome: &Outcome) {
        (self.events)(match self.wanted.contains(&id) {
            true => Event::Finished { id, label, origin, outcome: outcome.clone() },
            false => Event::Done { id, label },
        });
    }

    fn refuse_if_cancelled(&self) -> Result<(), Error> {
        if self.cancellation.is_requested() { Err(Error::Interrupted) } else { Ok(()) }
    }

    fn label(&self, id: StepId) -> Arc<str> {
        self.graph.step(id).label().into()
    }
}

fn resolve(source: Source, trees: &BTreeMap<StepId, Digest>) -> Digest {
    match source {
        Source::Tree(tree) => tree,
        Source::Output(id) => *trees.get(&id).expect("a graph's edges name every output that a step uses"),
    }
}

fn write_input(store: &Store, label: &str, tree: Digest) -> Result<(), Error> {
    store.write_lazy_tree(tree).map_err(|source| Error::LostInput { label: label.to_owned(), source })
}

/// Runs blocking work on a thread where it does not delay other tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| Error::Bug(panic.to_string()))?
}
