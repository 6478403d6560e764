//! The local runner: materializes the inputs of an action, runs it in a sandbox of this machine and captures its output. When
//! an action runs is decided in `executor`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::OnceCell;
use waders_sandbox::{Isolation, Mount, Request, Spawner, Stdio};

use crate::action::{Action, Exit, Limits, Outcome, Platform, Policy};
use crate::base::{Digest, RelPath};
use crate::engine::local::incremental::{self, StartingState, State};
use crate::engine::local::output::{Captured, Output};
use crate::engine::local::read_set;
use crate::engine::local::request::{self, Places};
use crate::engine::local::scrub::Scrub;
use crate::engine::local::terminal::{self, Relay};
use crate::engine::local::verified_blobs::VerifiedBlobs;
use crate::engine::runner::Running;
use crate::engine::slots::Slot;
use crate::engine::{CancelLevel, Error, LiveOutput, Run, Runner};
use crate::store::{self, Node, Store};

/// The delay between two looks at the output of a running process: people do not notice it.
const LOOK_DELAY: Duration = Duration::from_millis(100);

/// How this machine isolates steps.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// The isolation and limits that are part of action keys.
    pub platform: Platform,
    /// The isolation level in `platform`.
    pub isolation: Isolation,
    /// The time that a step has to clean up after SIGINT.
    pub grace: Duration,
    /// How sandboxes differ from the usual ones.
    pub variation: SandboxVariation,
}

/// How sandboxes differ from the usual ones, in order to find results that depend on it. Results must not, so that nothing of it
/// is part of action keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SandboxVariation {
    /// Directories of sources and of small images list their entries in another order.
    pub reversed_entries: bool,
    /// Temporary files and the home directory are on the file system of the store rather than in memory.
    pub scratch_on_disk: bool,
}

/// Runs actions in sandboxes of this machine.
pub struct LocalRunner {
    store: Arc<Store>,
    settings: LocalSettings,
    /// Started with the first process, because often everything is cached.
    spawner: OnceCell<Spawner>,
    /// Started with the first process, too.
    scrub: OnceLock<Scrub>,
    verified: VerifiedBlobs,
}

/// The outcome of one attempt and its new incremental state.
struct Attempt {
    outcome: Outcome,
    state: Option<Digest>,
}

impl LocalSettings {
    /// Settings with the limits that this process can enforce, which are lower than `limits` if its own hard limits are.
    /// `cache_namespace` separates cached results from those of other names.
    pub fn new(
        isolation: Isolation,
        limits: Limits,
        grace: Duration,
        cache_namespace: Option<String>,
    ) -> LocalSettings {
        let name = match isolation {
            Isolation::Full => "full",
            Isolation::NoLandlock => "no-landlock",
            Isolation::None => "none",
        };
        let platform = Platform { isolation: name, limits: request::enforceable(limits), cache_namespace };
        LocalSettings { platform, isolation, grace, variation: SandboxVariation::default() }
    }
}

impl LocalRunner {
    /// A runner that has not started its spawner yet.
    pub fn new(store: Arc<Store>, settings: LocalSettings) -> LocalRunner {
        let (spawner, scrub, verified) = Default::default();
        LocalRunner { store, settings, spawner, scrub, verified }
    }

    /// The spawner. The first call starts it, which takes a few milliseconds.
    async fn spawner(&self) -> Result<&Spawner, waders_sandbox::Error> {
        let start = || async {
            let started = tokio::task::spawn_blocking(Spawner::start).await;
            started.unwrap_or(Err(waders_sandbox::Error::SpawnerGone))
        };
        self.spawner.get_or_try_init(start).await
    }

    async fn run_attempts(&self, run: Run<'_>, slot: &Slot<'_>) -> Result<Outcome, Error> {
        let Action { policy, .. } = run.action;
        self.scrub.get_or_init(|| Scrub::start(self.store.clone()));
        // The spawner starts while the inputs are materialized. Its errors are reported when it is used.
        let mounts = async {
            tokio::task::block_in_place(|| {
                request::mount_inputs(&self.store, &self.settings, run.inputs, &self.verified)
            })
        };
        let (_, mounts) = tokio::join!(self.spawner(), mounts);
        let mounts = mounts?;
        let mut start = policy.incremental.as_ref().zip(run.state_key).and_then(|(incremental, key)| {
            tokio::task::block_in_place(|| incremental::choose(&self.store, incremental, &key, run.inputs.root))
        });
        let mut attempt = 1;
        loop {
            let Attempt { mut outcome, state } = self.attempt((&run, slot), &mounts, start.as_ref()).await?;
            outcome.attempts = attempt;
            let success = policy.is_success(outcome.exit);
            if let (true, Some(tree), Some(incremental), Some(key)) =
                (success, state, &policy.incremental, run.state_key)
            {
                incremental::add(&self.store, incremental, &key, State { sources: run.inputs.root, tree })?;
            }
            if success || outcome.exit == Exit::Interrupted {
                return Ok(outcome);
            }
            // The state may have caused the failure, so only an attempt without a state counts.
            if start.take().is_none() {
                if attempt >= policy.attempts {
                    return Ok(outcome);
                }
                attempt += 1;
            }
        }
    }

    async fn attempt(
        &self,
        (run, slot): (&Run<'_>, &Slot<'_>),
        mounts: &[Mount],
        start: Option<&StartingState>,
    ) -> Result<Attempt, Error> {
        let policy = &run.action.policy;
        let output = Output::create(&self.store, run.action, self.settings.variation)?;
        run.live.inspect(|live| live.restart());
        let mounts: Vec<Mount> = mounts.iter().chain(start.map(|start| &start.mount)).cloned().collect();
        let places = Places { out: &output.dir, disk_scratch: &output.disk_scratch };
        let request = request::request(&self.settings, run.action, &mounts, &places, slot.number(), run.audit);
        if run.action.command.terminal {
            // The user decides how long the process runs.
            self.store.suspend(&[run.inputs.root])?;
        }
        let ended =
            self.process((run, slot), request, &output).await.map_err(|error| self.find_lost_source(run, error))?;
        if run.action.command.terminal {
            tokio::task::block_in_place(|| self.store.resume())?;
        }
        self.verified.add(&mounts);
        if self.settings.platform.limits.memory_bytes.is_some() && !ended.memory_limited {
            return Err(Error::LimitRemoved { label: policy.label.clone() });
        }
        if ended.exit != waders_sandbox::Exit::Code(0) {
            output.refuse_full_disk()?;
        }
        let started_from = start.map(|start| start.tree);
        let captured =
            tokio::task::block_in_place(|| output.capture(&self.store, policy.incremental.as_ref(), started_from));
        let Captured { stdout, stderr, output, state } =
            captured.map_err(|source| Error::Capture { label: policy.label.clone(), source })?;
        let audit = tokio::task::block_in_place(|| read_set::store(&self.store, run.inputs, ended.trace.as_ref()))?;
        let outcome = Outcome {
            exit: checked_exit(&self.store, exit(ended.exit), policy, output)?,
            stdout,
            stderr,
            output,
            wall: ended.wall,
            max_rss_bytes: ended.max_rss_bytes,
            attempts: 1,
            started_from,
            audit,
        };
        Ok(Attempt { outcome, state })
    }

    /// If the sandbox found a source damaged while it copied it, the store's copy is quarantined and is now missing.
    fn find_lost_source(&self, run: &Run<'_>, error: Error) -> Error {
        let Error::Sandbox { source: waders_sandbox::Error::DamagedSource { path, .. }, .. } = &error else {
            return error;
        };
        let Ok(path) = RelPath::parse(path) else { return error };
        let root = self.store.tree(run.inputs.root);
        let digest = root.map(|root| root.nodes.get(&path).and_then(Node::content));
        match digest
            .and_then(|digest| digest.map_or(Ok(None), |digest| Ok(Some((digest, self.store.verify_blob(digest)?)))))
        {
            Ok(Some((digest, false))) => Error::Store(store::Error::Missing(digest)),
            Ok(_) => error,
            Err(source) => Error::Store(source),
        }
    }

    /// Runs the process and waits for its end. Forwards requests to stop.
    async fn process(
        &self,
        (run, slot): (&Run<'_>, &Slot<'_>),
        request: Request,
        output: &Output,
    ) -> Result<waders_sandbox::Outcome, Error> {
        let failed = |source| Error::Sandbox { label: run.action.policy.label.clone(), source };
        let mut streams = output.streams(run.action)?;
        let mut terminal = match request.stdio {
            Stdio::Terminal => Some(
                Relay::start(&mut streams)
                    .map_err(|source| Error::Terminal { label: run.action.policy.label.clone(), source })?,
            ),
            Stdio::Captured | Stdio::Inherited => None,
        };
        let (sender, mut ended) = tokio::sync::oneshot::channel();
        let done = move |outcome| drop(sender.send(outcome));
        let spawner = self.spawner().await.map_err(failed)?;
        let step = spawner.start_step(&request, streams, slot.others_to_start(), done).map_err(failed)?;
        let mut level = CancelLevel::None;
        loop {
            tokio::select! {
                outcome = &mut ended => {
                    let lost = |_| Error::Bug("the spawner lost a process".to_owned());
                    return outcome.map_err(lost)?.map_err(failed);
                }
                raised = run.cancellation.exceeds(level) => {
                    level = raised;
                    if level == CancelLevel::Kill { step.kill() } else { step.interrupt() }
                }
                () = next_look(run.live) => run.live.iter().for_each(|live| output.show_new(live)),
                event = terminal::event(terminal.as_mut()) => if event == terminal::Event::Terminated {
                    step.kill();
                    // The run must not continue with another step.
                    run.cancellation.escalate();
                },
            }
        }
    }
}

impl Runner for LocalRunner {
    fn accepts(&self, _: &Action) -> bool {
        true
    }

    fn run<'r>(&'r self, run: Run<'r>, slot: &'r Slot<'r>) -> Running<'r> {
        Box::pin(self.run_attempts(run, slot))
    }
}

/// Ends when it is time to look for new output; never, if nobody wants to see it.
async fn next_look(live: Option<&LiveOutput<'_>>) {
    match live {
        Some(_) => tokio::time::sleep(LOOK_DELAY).await,
        None => std::future::pending().await,
    }
}

/// The exit of a process with this output tree. A success without the required output is a failure.
pub(in crate::engine) fn checked_exit(
    store: &Store,
    exit: Exit,
    policy: &Policy,
    output: Digest,
) -> Result<Exit, Error> {
    match &policy.required_output {
        Some(required) if policy.is_success(exit) && store.lookup(output, required)?.is_none() => {
            Ok(Exit::MissingOutput)
        }
        _ => Ok(exit),
    }
}

/// The exit as the sandbox reports it.
pub(in crate::engine) fn exit(exit: waders_sandbox::Exit) -> Exit {
    match exit {
        waders_sandbox::Exit::Code(code) => Exit::Code(code),
        waders_sandbox::Exit::Signal(signal) => Exit::Signal(signal),
        waders_sandbox::Exit::TimedOut => Exit::TimedOut,
        waders_sandbox::Exit::Interrupted => Exit::Interrupted,
        waders_sandbox::Exit::OutOfMemory => Exit::OutOfMemory,
    }
}
