//! A repeated run on real steps: trees that a function derives, which need no sandbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use waders_sandbox::Isolation;

use super::*;
use crate::action::{Derive, Platform, Source};
use crate::base::RelPath;
use crate::engine::local::runner::LocalSettings;
use crate::engine::local::{LocalActionCache, LocalRunner};
use crate::engine::{Cancellation, Engine, LateInputs, Preserve, Recipe, execute};
use crate::net;
use crate::store::{Node, Store, Tree};

static CALLS: AtomicU32 = AtomicU32::new(0);

fn tree(store: &Store, text: &str) -> Digest {
    let node = Node::File { digest: store.put(text.as_bytes()).unwrap(), executable: false };
    store.put_tree(&Tree { nodes: [(RelPath::parse("file").unwrap(), node)].into() }).unwrap()
}

/// Another tree at each call.
fn changing(store: &Store, _: &[String], _: &[Digest]) -> Result<Digest, Box<dyn std::error::Error + Send + Sync>> {
    Ok(tree(store, &CALLS.fetch_add(1, Ordering::Relaxed).to_string()))
}

/// A tree that depends on its part alone.
fn copying(store: &Store, _: &[String], parts: &[Digest]) -> Result<Digest, Box<dyn std::error::Error + Send + Sync>> {
    Ok(tree(store, &parts[0].to_string()))
}

fn engine(store: &Arc<Store>, recording: Option<Arc<Recording>>) -> Arc<Engine> {
    let platform = Platform::sample();
    let settings = LocalSettings::new(Isolation::Full, platform.limits.clone(), Duration::ZERO, None);
    Arc::new(Engine {
        store: store.clone(),
        cache: Arc::new(LocalActionCache::new(store.clone())),
        audit: crate::engine::Audit::Off,
        use_partial_results: true,
        use_cache: true,
        recording,
        shows_output: false,
        preserve: Preserve::default(),
        runner: Arc::new(LocalRunner::new(store.clone(), settings)),
        workers: None,
        remote: None,
        late_inputs: LateInputs::default(),
        client: net::Client::new(net::NetworkSettings::default()),
        logins: Arc::new(|_| Ok(net::Login::Anonymous)),
        unpackers: BTreeMap::new(),
        recipes: [("changing", changing as Recipe), ("copying", copying)].into(),
        platform,
        parallelism: 1,
    })
}

/// Runs a changing step and one that uses it, and returns the tree of the second one.
fn run(store: &Arc<Store>, recording: Option<Arc<Recording>>) -> Digest {
    let mut graph = ActionGraph::default();
    let step = |label: &str, recipe, parts| {
        Step::Derive(Derive { label: label.to_owned(), recipe, parameters: Vec::new(), parts })
    };
    let first = graph.add(step("first", "changing", Vec::new()));
    let second = graph.add(step("second", "copying", vec![Source::Output(first)]));
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let wanted = [second];
    let running = execute(engine(store, recording), graph, &wanted, Cancellation::default(), |_| {});
    runtime.block_on(running).remove(&second).unwrap().unwrap().tree
}

#[test]
fn a_repeated_step_is_followed_by_the_first_result() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
    let recording = Arc::new(Recording::default());
    let tree = run(&store, Some(recording.clone()));
    let reference = recording.steps();
    let repeating = Arc::new(Recording::repeating(reference.clone(), true));
    assert_eq!(run(&store, Some(repeating.clone())), tree);
    let repeated = repeating.steps();
    assert_eq!(repeated.keys().collect::<Vec<_>>(), reference.keys().collect::<Vec<_>>());
    let differing = reference.iter().filter(|(key, step)| step.result != repeated[*key].result);
    assert_eq!(differing.map(|(_, step)| step.label.as_str()).collect::<Vec<_>>(), ["first"]);
    // The cache still has the first results.
    assert_eq!(run(&store, None), tree);
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
}

#[test]
fn a_recorded_step_names_a_requested_step_that_needs_it() {
    let mut graph = ActionGraph::default();
    let empty = Digest::of(b"");
    let derive = |label: &str, parts| {
        Step::Derive(Derive { label: label.to_owned(), recipe: "copying", parameters: Vec::new(), parts })
    };
    let common = graph.add(derive("common", vec![Source::Tree(empty)]));
    let wanted = ["a", "b"].map(|label| graph.add(derive(label, vec![Source::Output(common)])));
    let recording = Recording::default();
    recording.start_goal("test");
    let place = recording.place(&graph, wanted.into_iter());
    for (key, id) in [("1", common), ("2", wanted[1])] {
        recording.add((&graph, &place, id), key.to_owned(), RecordedResult::Derived(empty), Vec::new());
    }
    let steps = recording.steps();
    assert_eq!((steps["1"].goal.as_str(), &steps["1"].needed_by), ("test", &("a".to_owned(), 1)));
    assert_eq!(steps["2"].needed_by, ("b".to_owned(), 0));
}
