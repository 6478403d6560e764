//! Incremental state of tools: which state a step starts from, and how its new state is stored. The findings of a tool do not
//! depend on its state, so every failure here only makes later runs slower.
//!
//! A state is an immutable tree in the store. A process sees the earlier state read-only and writes a new one, which may take
//! over files of the earlier state. Therefore a killed run leaves no state, and concurrent runs or runs on other branches only
//! add states to choose from.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use waders_sandbox::{Mount, MountKind};

use crate::action::Incremental;
use crate::base::{Digest, RelPath};
use crate::engine::local::index;
use crate::store::{Batch, CaptureLimits, Entry, Error, Result, Store, Tree};

/// The number of states that are stored under one key. The newest are retained.
const STATES: usize = 8;

/// A state and the sources that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct State {
    /// The input root of the run that wrote it.
    pub(in crate::engine) sources: Digest,
    /// The files of the state.
    pub(in crate::engine) tree: Digest,
}

/// The state that a step starts from.
pub(super) struct StartingState {
    /// The files of the state.
    pub tree: Digest,
    /// Their mount in the sandbox.
    pub mount: Mount,
}

/// Chooses the state whose sources are most similar to `sources`. A damaged or lost state is skipped.
pub(super) fn choose(store: &Store, incremental: &Incremental, key: &Digest, sources: Digest) -> Option<StartingState> {
    if incremental.discard_state {
        return None;
    }
    let states = states(store, key);
    let mut with_distance: Vec<(usize, &State)> =
        states.iter().filter_map(|state| Some((differing(store, sources, state.sources).ok()?, state))).collect();
    with_distance.sort_by_key(|(differing, _)| *differing);
    with_distance.into_iter().find_map(|(_, state)| {
        let source = store.materialize(state.tree).ok()?;
        let mount = Mount { at: incremental.state_at.clone().into(), kind: MountKind::ReadOnly { source } };
        Some(StartingState { tree: state.tree, mount })
    })
}

/// Captures the state that a process wrote to `dir`. A symbolic link into the state that it started from takes over that file.
pub(super) fn capture(
    store: &Store,
    batch: &Batch<'_>,
    dir: &Path,
    incremental: &Incremental,
    started_from: Option<Digest>,
) -> Result<Digest> {
    let failed = |source| Error::Io { tried: "read", path: dir.to_owned(), source };
    let before = started_from.map(|state| store.tree(state)).transpose()?.unwrap_or_default();
    let mut reused = Tree::default();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Ok(target) = fs::read_link(&path) else { continue };
        let name = target.strip_prefix(&incremental.state_at).ok().and_then(Path::to_str);
        let name = name.and_then(|name| RelPath::parse(name).ok());
        if let Some((name, node)) = name.and_then(|name| before.nodes.get_key_value(&name)) {
            fs::remove_file(&path).map_err(failed)?;
            reused.nodes.insert(name.clone(), node.clone());
        }
    }
    batch.capture_with(dir, &CaptureLimits::default(), reused)
}

/// Stores a state as the newest one of its key.
pub(in crate::engine) fn add(store: &Store, incremental: &Incremental, key: &Digest, state: State) -> Result<()> {
    let mut states = if incremental.discard_state { Vec::new() } else { states(store, key) };
    states.retain(|known| known.sources != state.sources);
    states.insert(0, state);
    states.truncate(STATES);
    index::put(store, row(key), &states)
}

fn states(store: &Store, key: &Digest) -> Vec<State> {
    index::get(store, row(key)).ok().flatten().unwrap_or_default()
}

fn row(key: &Digest) -> [u8; 32] {
    index::key("states", &key.to_string())
}

/// The number of files in `tree` that are missing from `other` or have other contents there. Additional files in `other` are
/// not counted.
fn differing(store: &Store, tree: Digest, other: Digest) -> Result<usize> {
    if tree == other {
        return Ok(0);
    }
    let others = store.directory(other)?.entries;
    let mut count = 0;
    for (name, entry) in store.directory(tree)?.entries {
        count += match (&entry, others.get(&name)) {
            (entry, Some(other)) if entry == other => 0,
            (Entry::Directory(tree), Some(Entry::Directory(other))) => differing(store, *tree, *other)?,
            (Entry::Directory(tree), _) => store.tree(*tree)?.nodes.len(),
            _ => 1,
        };
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Node;

    fn incremental(discard_state: bool) -> Incremental {
        let state_out = RelPath::parse("state").unwrap();
        Incremental { state_at: "/state".to_owned(), state_out, state_inputs: Digest::of(b""), discard_state }
    }

    fn tree(store: &Store, files: &[(&str, &str)]) -> Digest {
        let node = |text: &str| Node::File { digest: store.put(text.as_bytes()).unwrap(), executable: false };
        let nodes = files.iter().map(|(path, text)| (RelPath::parse(path).unwrap(), node(text))).collect();
        store.put_tree(&Tree { nodes }).unwrap()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        (dir, store)
    }

    #[test]
    fn the_state_of_the_most_similar_sources_is_chosen() {
        let (_dir, store) = store();
        let key = Digest::of(b"key");
        let sources = tree(&store, &[("a/x.py", "1"), ("a/y.py", "2"), ("b/z.py", "3")]);
        let near = tree(&store, &[("a/x.py", "1"), ("a/y.py", "edited"), ("b/z.py", "3"), ("c/more.py", "4")]);
        let far = tree(&store, &[("a/x.py", "other"), ("a/y.py", "other")]);
        assert_eq!(differing(&store, sources, near).unwrap(), 1);
        assert_eq!(differing(&store, sources, far).unwrap(), 3);

        assert!(choose(&store, &incremental(false), &key, sources).is_none());
        for (sources, text) in [(near, "near"), (far, "far")] {
            let state = State { sources, tree: tree(&store, &[("piece", text)]) };
            add(&store, &incremental(false), &key, state).unwrap();
        }
        let near_state = tree(&store, &[("piece", "near")]);
        assert_eq!(choose(&store, &incremental(false), &key, sources).unwrap().tree, near_state);
        assert!(choose(&store, &incremental(true), &key, sources).is_none());
        assert!(choose(&store, &incremental(false), &Digest::of(b"another"), sources).is_none());
    }

    #[test]
    fn a_lost_state_is_skipped() {
        let (dir, store) = store();
        let key = Digest::of(b"key");
        let (sources, other) = (tree(&store, &[("x.py", "1")]), tree(&store, &[("x.py", "2")]));
        let states =
            [(sources, "lost"), (other, "there")].map(|(sources, text)| (sources, tree(&store, &[("p", text)])));
        for (sources, tree) in states {
            add(&store, &incremental(false), &key, State { sources, tree }).unwrap();
        }
        let hex = Digest::of(b"lost").hex();
        fs::remove_file(dir.path().join("store/blob").join(&hex[..2]).join(&hex)).unwrap();
        assert_eq!(choose(&store, &incremental(false), &key, sources).unwrap().tree, states[1].1);
    }

    #[test]
    fn discarding_the_state_removes_all_earlier_states() {
        let (_dir, store) = store();
        let key = Digest::of(b"key");
        let [one, two] = ["1", "2"].map(|text| tree(&store, &[("x.py", text)]));
        add(&store, &incremental(false), &key, State { sources: one, tree: one }).unwrap();
        add(&store, &incremental(true), &key, State { sources: two, tree: two }).unwrap();
        assert_eq!(states(&store, &key), [State { sources: two, tree: two }]);
    }

    #[test]
    fn links_into_the_earlier_state_take_over_its_files() {
        use std::os::unix::fs::symlink;
        let (dir, store) = store();
        let before = tree(&store, &[("0", "base"), ("1", "more")]);
        let left = dir.path().join("left");
        fs::create_dir(&left).unwrap();
        symlink("/state/0", left.join("0")).unwrap();
        fs::write(left.join("2"), "new").unwrap();
        let batch = store.batch();
        let state = capture(&store, &batch, &left, &incremental(false), Some(before)).unwrap();
        batch.commit().unwrap();
        assert_eq!(state, tree(&store, &[("0", "base"), ("2", "new")]));
    }

    #[test]
    fn links_to_other_paths_are_refused() {
        use std::os::unix::fs::symlink;
        let (dir, store) = store();
        let before = tree(&store, &[("0", "base")]);
        for target in ["/etc/passwd", "/state/other", "/state/../etc/passwd", "/states/0"] {
            let left = tempfile::tempdir_in(dir.path()).unwrap();
            symlink(target, left.path().join("0")).unwrap();
            let captured = capture(&store, &store.batch(), left.path(), &incremental(false), Some(before));
            assert!(captured.is_err(), "{target}");
        }
    }
}
