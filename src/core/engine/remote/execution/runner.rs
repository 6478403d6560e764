//! The remote runner: uploads what a worker needs, executes, and takes the result, so that it is that of a local run. What a worker
//! or the server fails to do for its own reasons is `Error::Worker`: the step then runs on this machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tonic::{Code, Status};
use waders_sandbox::Isolation;

use crate::action::{Action, Command, Inputs, Outcome, Policy, Source};
use crate::base::RelPath;
use crate::engine::local::incremental::{self, State};
use crate::engine::local::index;
use crate::engine::local::read_set;
use crate::engine::local::runner::{LocalSettings, checked_exit, exit};
use crate::engine::remote::execution::calls::{Execute, Failure, Progress};
use crate::engine::remote::execution::input::{self, InputRoot, RemoteAction, Treatment};
use crate::engine::remote::execution::live::Live;
use crate::engine::remote::execution::output::{self, Ran, Returned};
use crate::engine::remote::execution::trees::Trees;
use crate::engine::remote::execution::{ExecutionSettings, StepProgram};
use crate::engine::remote::{Connection, DigestMap, Error as RemoteError, RemoteDigest};
use crate::engine::runner::Running;
use crate::engine::slots::Slot;
use crate::engine::{CancelLevel, Cancellation, Error, LiveOutput, Run, Runner};
use crate::store::{Node, Store, Tree};

/// The number of times that an action is executed until its result can be used. The first failure is often that the server has
/// removed an input or an output in the meantime.
const TRIES: u32 = 3;

/// After this number of steps in a row that no worker could run, none is sent any more in this run.
const MAX_FAILED_STEPS: u32 = 3;

/// Where the trial finds the program in its sandbox.
const TRIAL_PROGRAM: &str = "/program/waders-step";

/// Runs actions on the workers of a server.
pub struct RemoteRunner {
    store: Arc<Store>,
    servers: Servers,
    settings: ExecutionSettings,
    local: LocalSettings,
    program: StepProgram,
    map: DigestMap,
    trees: OnceCell<Trees>,
    /// Held while images are uploaded, so that steps that start together do not upload them several times.
    upload: tokio::sync::Mutex<()>,
    /// The trial, which runs before the first step.
    trial: OnceCell<Result<(), String>>,
    failed_in_a_row: AtomicU32,
    progress: Progress,
    /// The number of steps that workers ran.
    ran: AtomicUsize,
    state: Mutex<Troubles>,
}

/// The servers, several of which may be the same one.
pub struct Servers {
    /// Where contents are uploaded.
    pub storage: Arc<Connection>,
    /// Where actions are executed.
    pub execution: Arc<Connection>,
    /// Where the log streams of running steps are read.
    pub log_streams: Arc<Connection>,
}

impl Servers {
    /// One server for everything.
    pub fn one(server: Arc<Connection>) -> Servers {
        Servers { storage: server.clone(), execution: server.clone(), log_streams: server }
    }
}

/// What workers ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerSummary {
    /// The number of steps.
    pub steps: usize,
    /// The bytes that were downloaded.
    pub received_bytes: u64,
    /// The bytes that were uploaded.
    pub sent_bytes: u64,
}

/// Why steps ran on this machine.
#[derive(Default)]
struct Troubles {
    /// Why no step is sent any more.
    off: Option<(String, Option<String>)>,
    /// The number of other steps, and why the first one ran here.
    steps: Option<(usize, String)>,
}

/// Why an execution has no outcome.
enum Trouble {
    /// The user stopped the run.
    Interrupted,
    /// The server lost a content. Another try uploads everything again.
    Lost(String),
    /// Another try would not help.
    Worker(String),
    /// No further step would succeed, for this reason and with this remedy.
    Off(String, Option<String>),
    /// The store failed.
    Engine(Error),
}

impl From<RemoteError> for Trouble {
    fn from(error: RemoteError) -> Trouble {
        // The hints name the options of the remote cache.
        let hint = error.hint().map(|hint| hint.replace("`remote_store_address`", "`remote_execution_address`"));
        let text = error.to_string();
        match error {
            RemoteError::Missing { .. } | RemoteError::WrongBytes { .. } => Trouble::Lost(text),
            RemoteError::Refused { code, .. } if is_loss(code) => Trouble::Lost(text),
            RemoteError::Store(error) => match Arc::try_unwrap(error) {
                Ok(error) => Trouble::Engine(Error::Store(error)),
                Err(_) => Trouble::Worker(text),
            },
            error if error.is_lasting() => Trouble::Off(text, hint),
            _ => Trouble::Worker(text),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Engine(error)
    }
}

/// Whether servers answer with this code if an input is missing. Some do not name what is missing.
fn is_loss(code: Code) -> bool {
    matches!(code, Code::FailedPrecondition | Code::Internal | Code::NotFound | Code::Aborted)
}

impl RemoteRunner {
    /// A runner that has not connected yet. `local` is how this machine isolates steps, which workers must match.
    pub fn new(
        store: Arc<Store>,
        servers: Servers,
        settings: ExecutionSettings,
        local: LocalSettings,
        program: StepProgram,
    ) -> RemoteRunner {
        RemoteRunner {
            map: DigestMap::new(store.clone()),
            trees: OnceCell::new(),
            upload: tokio::sync::Mutex::default(),
            trial: OnceCell::new(),
            failed_in_a_row: AtomicU32::new(0),
            progress: Progress::new(),
            ran: AtomicUsize::new(0),
            state: Mutex::default(),
            store,
            servers,
            settings,
            local,
            program,
        }
    }

    /// Why steps that workers can run ran on this machine, and what to do about it, since this was last asked.
    pub fn take_notice(&self) -> Option<(String, Option<String>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = state.steps.take();
        if let Some((why, hint)) = &mut state.off {
            let notice = format!("steps run on this machine instead of remote workers: {why}");
            return (!why.is_empty()).then(|| (notice, hint.take())).inspect(|_| why.clear());
        }
        let (count, why) = steps?;
        let steps = if count == 1 { "step" } else { "steps" };
        Some((format!("{count} {steps} ran on this machine instead of a remote worker: {why}"), None))
    }

    /// What the workers have run so far, and what was transferred for it.
    pub fn summary(&self) -> WorkerSummary {
        let (received, sent) = (&self.servers.storage.traffic.received_bytes, &self.servers.storage.traffic.sent_bytes);
        WorkerSummary {
            steps: self.ran.load(Ordering::Relaxed),
            received_bytes: received.load(Ordering::Relaxed),
            sent_bytes: sent.load(Ordering::Relaxed),
        }
    }

    async fn run_attempts(&self, run: Run<'_>) -> Result<Outcome, Error> {
        let policy = &run.action.policy;
        let mut attempt = 1;
        let result = loop {
            // A repeated attempt is a new execution. The server stores no failures, but may still execute the first one.
            let reuse = run.reuse && policy.cache.read && attempt == 1;
            match self.attempt(&run, reuse).await {
                Ok(outcome) if policy.is_success(outcome.exit) || attempt >= policy.attempts => {
                    break Ok(Outcome { attempts: attempt, ..outcome });
                }
                Ok(_) => attempt += 1,
                Err(trouble) => break Err(trouble),
            }
        };
        let why = match result {
            Ok(outcome) => {
                self.failed_in_a_row.store(0, Ordering::Relaxed);
                self.ran.fetch_add(1, Ordering::Relaxed);
                return Ok(outcome);
            }
            Err(Trouble::Interrupted) => return Err(Error::Interrupted),
            Err(Trouble::Engine(error)) => return Err(error),
            Err(Trouble::Lost(why) | Trouble::Worker(why)) => {
                self.report_step(&why);
                why
            }
            Err(Trouble::Off(why, hint)) => {
                self.switch_off(&why, hint);
                why
            }
        };
        tracing::warn!(step = policy.label, "no worker ran the step: {why}");
        Err(Error::Worker { label: policy.label.clone(), why })
    }

    fn report_step(&self, why: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.steps.get_or_insert_with(|| (0, why.to_owned())).0 += 1;
        drop(state);
        if self.failed_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_FAILED_STEPS {
            self.switch_off(why, None);
        }
    }

    /// Sends no further step in this run. The first reason is reported.
    fn switch_off(&self, why: &str, hint: Option<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.off.get_or_insert_with(|| (why.to_owned(), hint));
    }

    fn is_off(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).off.is_some()
    }

    async fn attempt(&self, run: &Run<'_>, reuse: bool) -> Result<Outcome, Trouble> {
        self.try_workers(run.cancellation).await?;
        let root = input::input_root(&self.local, run.action, run.inputs, run.audit);
        let namespace = self.local.platform.cache_namespace.as_deref();
        let treatment = Treatment { do_not_cache: !run.action.policy.cache.write, namespace };
        let ran = self.execute(&root, treatment, reuse, (run.live, run.cancellation)).await?;
        tokio::task::block_in_place(|| self.outcome(run, ran))
    }

    /// Runs a trial on a worker before the first step, to find out whether workers can isolate steps. Its success is recorded,
    /// since a worker that cannot is noticed by every step, too.
    async fn try_workers(&self, cancellation: &Cancellation) -> Result<(), Trouble> {
        if self.is_off() {
            return Err(Trouble::Worker("no worker is used any more in this run".to_owned()));
        }
        let trial = async {
            let row = self.trial_row();
            if index::get(&self.store, row).ok().flatten() == Some(true) {
                return Ok(Ok(()));
            }
            let root = self.trial_root()?;
            let treatment = Treatment { do_not_cache: true, namespace: None };
            match self.execute(&root, treatment, false, (None, cancellation)).await {
                Ok(ran) if ran.outcome.exit == waders_sandbox::Exit::Code(0) => {
                    index::put(&self.store, row, &true).map_err(Error::from)?;
                    Ok(Ok(()))
                }
                Ok(ran) => Ok(Err(format!("the trial on a worker ended with {}", exit(ran.outcome.exit)))),
                Err(Trouble::Lost(why) | Trouble::Worker(why)) => Ok(Err(why)),
                Err(trouble) => Err(trouble),
            }
        };
        match self.trial.get_or_try_init(|| trial).await? {
            Ok(()) => Ok(()),
            Err(why) => Err(Trouble::Off(why.clone(), None)),
        }
    }

    /// The row of the index with the success of the trial.
    fn trial_row(&self) -> [u8; 32] {
        let storage = self.servers.storage.settings();
        let execution = self.servers.execution.settings();
        let (properties, program) = (&self.settings.properties, self.program);
        let platform = &self.local.platform;
        let text = format!(
            "{} {} {} {properties:?} {program:?} {platform:?}",
            storage.address, execution.address, execution.instance_name
        );
        index::key("trial of workers", &text)
    }

    /// A step that runs the program itself.
    fn trial_root(&self) -> Result<InputRoot, Error> {
        let StepProgram(digest) = self.program;
        let name = RelPath::parse("waders-step").expect("the name is clean");
        let program = self.store.put_tree(&Tree { nodes: [(name, Node::File { digest, executable: true })].into() })?;
        let empty = self.store.put_tree(&Tree::default())?;
        let argv = vec![TRIAL_PROGRAM.to_owned(), "--version".to_owned()];
        let command = Command::new(argv, BTreeMap::new(), Source::Tree(empty), BTreeMap::new());
        let action = Action { command, policy: Policy::new("trial".to_owned()) };
        let inputs = Inputs { root: empty, images: [("/program".to_owned(), program)].into() };
        Ok(input::input_root(&self.local, &action, &inputs, false))
    }

    /// Executes an action until its result can be used.
    async fn execute(
        &self,
        root: &InputRoot,
        treatment: Treatment<'_>,
        reuse: bool,
        user: (Option<&LiveOutput<'_>>, &Cancellation),
    ) -> Result<Ran, Trouble> {
        let mut reuse = reuse;
        let mut number = 1;
        loop {
            match self.execute_once(root, treatment, reuse, user).await {
                Err(Trouble::Lost(why)) if number < TRIES => {
                    tracing::debug!("a remote execution is repeated, because the server lost something: {why}");
                    self.trees.get().inspect(|trees| trees.forget());
                    // The result of an earlier execution may be what is incomplete.
                    reuse = false;
                    number += 1;
                }
                result => return result,
            }
        }
    }

    async fn execute_once(
        &self,
        root: &InputRoot,
        treatment: Treatment<'_>,
        reuse: bool,
        (live, cancellation): (Option<&LiveOutput<'_>>, &Cancellation),
    ) -> Result<Ran, Trouble> {
        let uploaded = tokio::select! {
            uploaded = self.upload(root, treatment) => uploaded?,
            _ = cancellation.exceeds(CancelLevel::None) => return Err(Trouble::Interrupted),
        };
        let execute = Execute {
            action: uploaded,
            reuse,
            priority: self.settings.priority,
            max_queue: self.settings.max_queue,
            max_run: self.settings.max_run,
            progress: &self.progress,
            live: live.map(|output| Live { server: &self.servers.log_streams, output }),
        };
        let response =
            self.servers.execution.execute(&execute, cancellation).await.map_err(|failure| match failure {
                Failure::Interrupted => Trouble::Interrupted,
                Failure::Queued(limit) => Trouble::Worker(format!("no worker took a step for {} s", limit.as_secs())),
                Failure::TooSlow(limit) => Trouble::Worker(format!("a worker took longer than {} s", limit.as_secs())),
                Failure::Remote(error) => error.into(),
            })?;
        if let Some(status) = response.status.filter(|status| status.code != 0) {
            let code = Code::from(status.code);
            let status = Status::new(code, status.message);
            let why = RemoteError::from_status(&self.servers.execution.address(), "Execute", &status).to_string();
            return Err(if is_loss(code) { Trouble::Lost(why) } else { Trouble::Worker(why) });
        }
        let result = response.result.ok_or_else(|| Trouble::Worker("a response has no result".to_owned()))?;
        let taken = tokio::select! {
            taken = output::take(&self.servers.storage, &self.store, &result, self.local.isolation) => taken?,
            _ = cancellation.exceeds(CancelLevel::None) => return Err(Trouble::Interrupted),
        };
        match taken {
            Returned::Ran(ran) => Ok(*ran),
            Returned::NotRun(why) => Err(Trouble::Worker(why)),
            Returned::CannotIsolate(why) => {
                let hint = "give the workers what steps need, or set `remote_execution` to false";
                drop(self.store.index_remove(&self.trial_row()));
                Err(Trouble::Off(format!("a worker cannot isolate steps: {why}"), Some(hint.to_owned())))
            }
        }
    }

    /// Uploads an action and everything that it needs. Returns its digest.
    async fn upload(&self, root: &InputRoot, treatment: Treatment<'_>) -> Result<RemoteDigest, Trouble> {
        let function = self.servers.storage.capabilities().await?.digest_function;
        let trees = self.trees.get_or_init(|| async { Trees::new(self.map.clone(), function) }).await;
        let is_uploaded = || root.images.iter().all(|image| trees.is_uploaded(image.tree));
        let guard = if is_uploaded() { None } else { Some(self.upload.lock().await) };
        let RemoteAction { digest, mut contents } = tokio::task::block_in_place(|| {
            input::encode((&self.store, &self.map, trees), &self.settings, self.program, root, treatment)
        })?;
        trees.retain_unknown(&mut contents);
        let digests: Vec<_> = contents.keys().copied().collect();
        self.servers.storage.upload(&self.store, contents).await?;
        let uploaded = root.images.iter().chain([&root.sources]).map(|input| input.tree);
        trees.uploaded(uploaded, digests);
        drop(guard);
        Ok(digest)
    }

    /// The outcome of a step that ran, as a local run would have it.
    fn outcome(&self, run: &Run<'_>, ran: Ran) -> Result<Outcome, Trouble> {
        let Ran { outcome, trace, streams: [stdout, stderr], mut tree } = ran;
        let policy = &run.action.policy;
        if self.local.platform.limits.memory_bytes.is_some() && !outcome.memory_limited {
            return Err(Trouble::Worker("the worker did not enforce the memory limit".to_owned()));
        }
        let state = policy.incremental.as_ref().map(|incremental| split(&mut tree, &incremental.state_out));
        let output = self.store.put_tree(&tree).map_err(Error::from)?;
        let audit = read_set::store(&self.store, run.inputs, trace.as_ref()).map_err(Error::from)?;
        let exit = checked_exit(&self.store, exit(outcome.exit), policy, output)?;
        if let (true, Some(state), Some(incremental), Some(key)) =
            (policy.is_success(exit), state, &policy.incremental, run.state_key)
        {
            let tree = self.store.put_tree(&state).map_err(Error::from)?;
            let state = State { sources: run.inputs.root, tree };
            incremental::add(&self.store, incremental, &key, state).map_err(Error::from)?;
        }
        let (wall, max_rss_bytes) = (outcome.wall, outcome.max_rss_bytes);
        Ok(Outcome { exit, stdout, stderr, output, wall, max_rss_bytes, attempts: 1, started_from: None, audit })
    }
}

/// Removes the tree at a path and returns it. Its parent stays, as it does when a directory is moved away.
fn split(tree: &mut Tree, at: &RelPath) -> Tree {
    let mut taken = Tree::default();
    tree.nodes.retain(|path, node| match path.strip_prefix(at) {
        Some(below) => {
            if !below.is_root() {
                taken.nodes.insert(below, node.clone());
            }
            false
        }
        None => true,
    });
    if let Some(parent) = at.parent().filter(|parent| !parent.is_root())
        && !tree.nodes.keys().any(|path| path.starts_with(&parent))
    {
        tree.nodes.insert(parent, Node::EmptyDirectory);
    }
    taken
}

impl Runner for RemoteRunner {
    fn accepts(&self, action: &Action) -> bool {
        let Command { network, terminal, .. } = action.command;
        let is_usable =
            || self.servers.storage.failure().is_none() && self.servers.execution.failure().is_none() && !self.is_off();
        // What belongs to this machine stays here.
        !network
            && !terminal
            && action.policy.channel.is_none()
            && self.local.isolation > Isolation::None
            && is_usable()
    }

    fn run<'r>(&'r self, run: Run<'r>, _: &'r Slot<'r>) -> Running<'r> {
        Box::pin(self.run_attempts(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn a_state_is_split_from_the_output() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let file = || Node::File { digest: Digest::of(b""), executable: false };
        let check = |paths: &[&str], at: &str, rest: &[&str], taken: &[&str]| {
            let mut tree = Tree { nodes: paths.iter().map(|text| (path(text), file())).collect() };
            let split = split(&mut tree, &path(at));
            let names = |tree: &Tree| tree.nodes.keys().map(|path| path.to_string()).collect::<Vec<_>>();
            assert_eq!((names(&tree), names(&split)), (owned(rest), owned(taken)));
        };
        check(&["a", "state/b/c", "state/d", "states"], "state", &["a", "states"], &["b/c", "d"]);
        check(&["x/state/d"], "x/state", &["x"], &["d"]);
        check(&["x/y", "x/state/d"], "x/state", &["x/y"], &["d"]);
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }
}
