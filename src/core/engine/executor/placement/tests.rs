//! Where steps run, with runners that only count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::action::{ActionGraph, Command, Exit, Platform, Policy, Source, Step};
use crate::base::Digest;
use crate::engine::local::LocalActionCache;
use crate::engine::runner::Running;
use crate::engine::{Audit, Cancellation, Engine, LateInputs, Preserve, Runner, execute};
use crate::net;
use crate::store::{Store, Tree};

/// Succeeds after all that run at the same time have started, or fails for its own reasons.
struct Counting {
    empty: [Digest; 2],
    accepts: bool,
    fails: bool,
    count: AtomicUsize,
}

impl Runner for Counting {
    fn accepts(&self, _: &Action) -> bool {
        self.accepts
    }

    fn run<'r>(&'r self, run: Run<'r>, _: &'r Slot<'r>) -> Running<'r> {
        Box::pin(async move {
            self.count.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
            if self.fails {
                let label = run.action.policy.label.clone();
                return Err(Error::Worker { label, why: "it is switched off".to_owned() });
            }
            let [blob, tree] = self.empty;
            Ok(Outcome {
                exit: Exit::Code(0),
                stdout: blob,
                stderr: blob,
                output: tree,
                wall: Duration::ZERO,
                max_rss_bytes: 0,
                attempts: 1,
                started_from: None,
                audit: None,
            })
        })
    }
}

/// Runs steps at the same time, with one slot here and `workers` slots there. Returns how many ran here, how many there, and how
/// many have the origin of a worker.
fn run(steps: usize, workers: usize, local_share: LocalShare, change: fn(&mut Counting, &mut Policy)) -> [usize; 3] {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
    let empty = [store.put(b"").unwrap(), store.put_tree(&Tree::default()).unwrap()];
    let runner = || Counting { empty, accepts: true, fails: false, count: AtomicUsize::new(0) };
    let (here, mut there) = (Arc::new(runner()), runner());
    let mut graph = ActionGraph::default();
    let mut wanted = Vec::new();
    for number in 0..steps {
        let argv = vec![number.to_string()];
        let command = Command::new(argv, BTreeMap::new(), Source::Tree(empty[1]), BTreeMap::new());
        let mut policy = Policy { remote: true, ..Policy::new(format!("step {number}")) };
        change(&mut there, &mut policy);
        wanted.push(graph.add(Step::Run(Box::new(Action { command, policy }))));
    }
    let there = Arc::new(there);
    let engine = Engine {
        cache: Arc::new(LocalActionCache::new(store.clone())),
        use_cache: true,
        use_partial_results: true,
        recording: None,
        audit: Audit::Off,
        shows_output: false,
        preserve: Preserve::default(),
        runner: here.clone(),
        workers: Some(Workers { runner: there.clone(), parallelism: workers, local_share }),
        remote: None,
        late_inputs: LateInputs::default(),
        client: net::Client::new(net::NetworkSettings::default()),
        logins: Arc::new(|_| Ok(net::Login::Anonymous)),
        unpackers: BTreeMap::new(),
        recipes: BTreeMap::new(),
        platform: Platform::sample(),
        parallelism: 1,
        store,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let results = runtime.block_on(execute(Arc::new(engine), graph, &wanted, Cancellation::default(), |_| {}));
    let is_remote = |result: &Result<crate::engine::StepResult, _>| {
        let (origin, _) = result.as_ref().unwrap().outcome.as_ref().unwrap();
        *origin == Origin::RanRemotely
    };
    let remote = results.values().filter(|result| is_remote(result)).count();
    [here.count.load(Ordering::Relaxed), there.count.load(Ordering::Relaxed), remote]
}

#[test]
fn steps_run_where_a_slot_is_free() {
    let unchanged = |_: &mut Counting, _: &mut Policy| {};
    assert_eq!(run(4, 8, LocalShare::Overflow, unchanged), [0, 4, 4]);
    assert_eq!(run(2, 1, LocalShare::Overflow, unchanged), [1, 1, 1]);
    assert_eq!(run(1, 8, LocalShare::First, unchanged), [1, 0, 0]);
    assert_eq!(run(3, 8, LocalShare::First, unchanged), [1, 2, 2]);
    assert_eq!(run(3, 1, LocalShare::None, unchanged), [0, 3, 3]);
}

#[test]
fn what_workers_cannot_run_runs_here() {
    assert_eq!(run(2, 8, LocalShare::None, |there, _| there.fails = true), [2, 2, 0]);
    assert_eq!(run(2, 8, LocalShare::None, |there, _| there.accepts = false), [2, 0, 0]);
    assert_eq!(run(2, 8, LocalShare::Overflow, |_, policy| policy.remote = false), [2, 0, 0]);
}
