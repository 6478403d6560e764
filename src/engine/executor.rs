//! Graph to results: every step once, after what it needs, as many at a time as the slots allow.
//! Nothing that is not wanted, and nothing whose result is known, is carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::task::JoinSet;

use waders_sandbox::Isolation;

use crate::action::{
    Action, ActionGraph, Derive, Event, Exit, Fetch, Inputs, Origin, Outcome, Source, Step, StepId, key, lineage,
};
use crate::base::Digest;
use crate::engine::cache::Kept;
use crate::engine::slots::Slots;
use crate::engine::{Cancellation, Engine, Error, cache, each, fetch, run};
use crate::store::{self, Store};

/// Downloads at once. More does not help one host, and fewer leaves it idle.
const DOWNLOADS: usize = 8;

/// What a step gave: its tree, and for a process what became of it.
#[derive(Clone, Debug)]
pub struct StepResult {
    pub tree: Digest,
    pub outcome: Option<(Origin, Outcome)>,
    /// None where it is not kept, or must be carried out each time.
    pub kept: Option<Kept>,
}

impl StepResult {
    fn of_tree(tree: Digest) -> StepResult {
        StepResult { tree, outcome: None, kept: None }
    }

    fn of_process(origin: Origin, outcome: Outcome, kept: Option<Kept>) -> StepResult {
        StepResult { tree: outcome.output, outcome: Some((origin, outcome)), kept }
    }

    /// What an earlier run came to, without its action. None where that is no longer there.
    pub fn again(store: &Store, kept: &Kept) -> store::Result<Option<StepResult>> {
        let outcome = kept.outcome(store)?;
        Ok(outcome.map(|outcome| StepResult::of_process(Origin::Cached, outcome, Some(kept.clone()))))
    }
}

pub type Results = BTreeMap<StepId, Result<StepResult, Arc<Error>>>;

/// One graph being carried out.
struct Execution {
    engine: Arc<Engine>,
    graph: ActionGraph,
    wanted: BTreeSet<StepId>,
    cells: Vec<OnceCell<Result<StepResult, Arc<Error>>>>,
    slots: Slots,
    downloads: Semaphore,
    /// Held while a lost tree is made again, so that it is made once.
    repair: Mutex<()>,
    cancel: Cancellation,
    events: Box<dyn Fn(Event) + Send + Sync>,
}

/// Results of the wanted steps, in their order. Events are told from several threads.
pub async fn execute(
    engine: Arc<Engine>,
    graph: ActionGraph,
    wanted: &[StepId],
    cancel: Cancellation,
    events: impl Fn(Event) + Send + Sync + 'static,
) -> Results {
    let execution = Arc::new(Execution {
        wanted: wanted.iter().copied().collect(),
        cells: graph.ids().map(|_| OnceCell::new()).collect(),
        slots: Slots::new(engine.settings.parallelism.max(1)),
        downloads: Semaphore::new(DOWNLOADS),
        repair: Mutex::new(()),
        cancel,
        events: Box::new(events),
        graph,
        engine,
    });
    let mut tasks = JoinSet::new();
    for id in wanted.iter().copied() {
        let execution = execution.clone();
        tasks.spawn(async move { (id, execution.result(id).await) });
    }
    tasks.join_all().await.into_iter().collect()
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Execution {
    /// The step's result; computed by whoever asks first.
    fn result(self: Arc<Self>, id: StepId) -> Pending<'static, Result<StepResult, Arc<Error>>> {
        Box::pin(async move {
            let compute = self.clone().compute(id);
            self.cells[id.index()].get_or_init(|| async { compute.await.map_err(Arc::new) }).await.clone()
        })
    }

    async fn compute(self: Arc<Self>, id: StepId) -> Result<StepResult, Error> {
        let trees = self.clone().needs(id).await?;
        let result = self.carry_out(id, &trees).await;
        let result = match result {
            Err(error) if error.missing().is_some() => self.clone().make_again(id, &trees, error).await,
            result => result,
        };
        if let Err(error) = &result
            && !matches!(error, Error::Interrupted | Error::Needs { .. })
        {
            (self.events)(Event::Failed { id, label: self.label(id), message: error.whole() });
        }
        result
    }

    /// The output trees of the steps that this one uses.
    async fn needs(self: Arc<Self>, id: StepId) -> Result<BTreeMap<StepId, Digest>, Error> {
        let mut tasks = JoinSet::new();
        for need in self.graph.needs(id) {
            let execution = self.clone();
            tasks.spawn(async move { (need, execution.result(need).await) });
        }
        // In their order, so that of several failures always the same one is told.
        let results: BTreeMap<StepId, _> = tasks.join_all().await.into_iter().collect();
        results.into_iter().map(|(need, result)| Ok((need, self.usable(need, result)?))).collect()
    }

    fn is_good(&self, id: StepId, outcome: &Outcome) -> bool {
        match self.graph.step(id) {
            Step::Run(action) => matches!(outcome.exit, Exit::Code(code) if action.cache.good_codes.contains(&code)),
            _ => true,
        }
    }

    /// A process that failed leaves nothing that others could use.
    fn usable(&self, need: StepId, result: Result<StepResult, Arc<Error>>) -> Result<Digest, Error> {
        let label = || self.label(need).to_string();
        let result = result.map_err(|cause| match &*cause {
            Error::Interrupted => Error::Interrupted,
            _ => Error::Needs { label: label(), cause },
        })?;
        match &result.outcome {
            Some((_, outcome)) if !self.is_good(need, outcome) => {
                let stderr = self.engine.store.get(outcome.stderr).unwrap_or_default();
                Err(Error::NeedFailed {
                    label: label(),
                    exit: outcome.exit,
                    stderr: String::from_utf8_lossy(&stderr).into(),
                })
            }
            _ => Ok(result.tree),
        }
    }

    async fn carry_out(&self, id: StepId, trees: &BTreeMap<StepId, Digest>) -> Result<StepResult, Error> {
        match self.graph.step(id) {
            Step::Fetch(fetch) => self.fetch(id, fetch, true).await,
            Step::Derive(derive) => self.derive(derive, trees, true).await,
            Step::Run(action) => self.run(id, action, trees, true).await,
        }
    }

    async fn fetch(&self, id: StepId, step: &Fetch, recall: bool) -> Result<StepResult, Error> {
        let row = cache::fetched(step);
        if recall && let Some(tree) = cache::tree(&self.engine.store, row)? {
            return Ok(StepResult::of_tree(tree));
        }
        let _permit = self.downloads.acquire().await.expect("the semaphore is never closed");
        self.refuse_if_interrupted()?;
        let label: Arc<str> = step.label.as_str().into();
        (self.events)(Event::Started { id, label: label.clone() });
        let (engine, step) = (self.engine.clone(), step.clone());
        let tree = blocking(move || {
            let tree = fetch::fetch(&engine, &step)?;
            cache::keep_tree(&engine.store, row, &tree)?;
            Ok(tree)
        });
        let tree = tree.await?;
        (self.events)(Event::Done { id, label });
        Ok(StepResult::of_tree(tree))
    }

    async fn derive(&self, step: &Derive, trees: &BTreeMap<StepId, Digest>, recall: bool) -> Result<StepResult, Error> {
        let parts: Vec<Digest> = step.parts.iter().map(|source| resolved(*source, trees)).collect();
        let row = cache::derived(step, &parts);
        if recall && let Some(tree) = cache::tree(&self.engine.store, row)? {
            return Ok(StepResult::of_tree(tree));
        }
        self.write_inputs(&step.label, parts.iter().copied())?;
        let (engine, step) = (self.engine.clone(), step.clone());
        let tree = blocking(move || {
            let recipe = engine.recipes.get(step.recipe);
            let recipe = recipe.ok_or_else(|| Error::Bug(format!("there is no recipe `{}`", step.recipe)))?;
            let tree = recipe(&engine.store, &step.parameters, &parts);
            let tree = tree.map_err(|source| Error::Derive { label: step.label.clone(), source })?;
            cache::keep_tree(&engine.store, row, &tree)?;
            Ok(tree)
        });
        Ok(StepResult::of_tree(tree.await?))
    }

    async fn run(
        &self,
        id: StepId,
        action: &Action,
        trees: &BTreeMap<StepId, Digest>,
        recall: bool,
    ) -> Result<StepResult, Error> {
        let images = action.images.iter().map(|(at, source)| (at.clone(), resolved(*source, trees))).collect();
        let inputs = Inputs { root: resolved(action.input_root, trees), images };
        let (store, isolation) = (&self.engine.store, isolation_name(&self.engine));
        let recall = recall && action.cache.read && !action.interactive;
        let of_all = key(action, &inputs, isolation);
        if recall && let Some(outcome) = self.known(id, &of_all)? {
            return Ok(self.recalled(id, action, outcome, Kept::Under(of_all)));
        }
        let fewer = match recall {
            true => each::without_known(store, action, &inputs, isolation, &of_all)?,
            false => each::Left::All,
        };
        let whole = action;
        let (action, key) = match &fewer {
            each::Left::All => (action, of_all),
            each::Left::Some(fewer) => (&**fewer, key(fewer, &inputs, isolation)),
            each::Left::None => return Ok(self.recalled(id, action, each::nothing(store)?, Kept::Nothing)),
        };
        if key != of_all
            && let Some(outcome) = self.known(id, &key)?
        {
            return Ok(self.recalled(id, action, outcome, Kept::Under(key)));
        }
        let slot = self.slots.take().await;
        self.refuse_if_interrupted()?;
        let label: Arc<str> = action.label.as_str().into();
        (self.events)(Event::Started { id, label: label.clone() });
        self.write_inputs(&action.label, inputs.images.values().copied())?;
        let lineage = lineage(action, &inputs, isolation);
        // The process gets its sources from their contents: that their tree stays is for later.
        let (written, outcome) = tokio::join!(
            self.write_meanwhile(&action.label, inputs.root),
            run::run(&self.engine, action, &inputs, lineage, &slot, &self.cancel)
        );
        let outcome = written.and(outcome)?;
        let is_kept = action.is_good(outcome.exit) && action.cache.keep && !action.interactive;
        if is_kept {
            cache::keep_outcome(store, &key, &outcome)?;
            each::learn(store, whole, action, &inputs, isolation, &outcome)?;
        }
        self.tell_end(id, label, Origin::Ran, &outcome);
        Ok(StepResult::of_process(Origin::Ran, outcome, (is_kept && recall).then_some(Kept::Under(key))))
    }

    /// What an earlier run came to. Somebody wants to read what this step leaves, where it was asked for itself.
    fn known(&self, id: StepId, key: &Digest) -> Result<Option<Outcome>, Error> {
        let store = &self.engine.store;
        Ok(if self.wanted.contains(&id) { cache::whole_outcome(store, key)? } else { cache::outcome(store, key)? })
    }

    fn recalled(&self, id: StepId, action: &Action, outcome: Outcome, kept: Kept) -> StepResult {
        self.tell_end(id, action.label.as_str().into(), Origin::Cached, &outcome);
        StepResult::of_process(Origin::Cached, outcome, Some(kept))
    }

    async fn write_meanwhile(&self, label: &str, tree: Digest) -> Result<(), Error> {
        let (store, label) = (self.engine.store.clone(), label.to_owned());
        blocking(move || write_input(&store, &label, tree)).await
    }

    /// Trees that were only named so far: this step is the first to need them.
    fn write_inputs(&self, label: &str, mut trees: impl Iterator<Item = Digest>) -> Result<(), Error> {
        tokio::task::block_in_place(|| trees.try_for_each(|tree| write_input(&self.engine.store, label, tree)))
    }

    /// What others only need is done; what was asked for is finished, and how.
    fn tell_end(&self, id: StepId, label: Arc<str>, origin: Origin, outcome: &Outcome) {
        (self.events)(match self.wanted.contains(&id) {
            true => Event::Finished { id, label, origin, outcome: outcome.clone() },
            false => Event::Done { id, label },
        });
    }

    /// The store lost a blob or tree that earlier runs had made: make everything below this step again, then try once more.
    async fn make_again(
        self: Arc<Self>,
        id: StepId,
        trees: &BTreeMap<StepId, Digest>,
        lost: Error,
    ) -> Result<StepResult, Error> {
        let _guard = self.repair.lock().await;
        match self.carry_out(id, trees).await {
            Err(error) if error.missing().is_some() => {}
            result => return result,
        }
        let mut made: BTreeMap<StepId, Digest> = BTreeMap::new();
        for need in self.everything_below(id) {
            let result = match self.graph.step(need) {
                Step::Fetch(fetch) => self.fetch(need, fetch, false).await,
                Step::Derive(derive) => self.derive(derive, &made, false).await,
                Step::Run(action) => self.run(need, action, &made, false).await,
            };
            made.insert(need, self.usable(need, result.map_err(Arc::new))?);
        }
        if trees.iter().any(|(need, tree)| made.get(need) != Some(tree)) {
            return Err(Error::NotReproduced { label: self.label(id).to_string(), cause: Box::new(lost) });
        }
        self.carry_out(id, trees).await
    }

    /// All steps that this one needs, directly or not; each after what it needs itself (ids grow along the edges).
    fn everything_below(&self, id: StepId) -> BTreeSet<StepId> {
        let mut below = BTreeSet::new();
        let mut open = vec![id];
        while let Some(step) = open.pop() {
            open.extend(self.graph.needs(step).filter(|need| below.insert(*need)));
        }
        below
    }

    fn refuse_if_interrupted(&self) -> Result<(), Error> {
        if !self.cancel.is_requested() { Ok(()) } else { Err(Error::Interrupted) }
    }

    fn label(&self, id: StepId) -> Arc<str> {
        match self.graph.step(id) {
            Step::Fetch(fetch) => fetch.label.as_str().into(),
            Step::Run(action) => action.label.as_str().into(),
            Step::Derive(derive) => derive.label.as_str().into(),
        }
    }
}

fn resolved(source: Source, trees: &BTreeMap<StepId, Digest>) -> Digest {
    match source {
        Source::Tree(tree) => tree,
        Source::Output(id) => *trees.get(&id).expect("a graph's edges name every output that a step uses"),
    }
}

fn write_input(store: &Store, label: &str, tree: Digest) -> Result<(), Error> {
    store.write_lazy_tree(tree).map_err(|source| Error::LostInput { label: label.to_owned(), source })
}

fn isolation_name(engine: &Engine) -> &'static str {
    match engine.settings.isolation {
        Isolation::None => "none",
        Isolation::NoLandlock => "no-landlock",
        Isolation::Full => "full",
    }
}

/// Runs blocking work beside the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| Error::Bug(panic.to_string()))?
}
