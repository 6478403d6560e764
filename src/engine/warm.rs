//! What tools have learnt in earlier, similar runs: which state a step begins with, and how the one it leaves is kept.
//! That results do not depend on it is the tool's promise; nothing here is needed for a result.
//!
//! A state is a tree in the store, never changed and never shared while it is written: the process sees it read-only and
//! leaves its own. It may consist of pieces, of which a later state takes over what still holds. So a run that was killed
//! leaves nothing, and runs beside each other, or on other branches, only add states to choose from.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use waders_sandbox::{Mount, MountKind};

use crate::action::Warm;
use crate::base::{Digest, RelPath};
use crate::engine::cache::{self, Kind};
use crate::store::{Batch, CaptureLimits, Entry, Result, Store, Tree};

/// So many states of one lineage are to choose from, the newest ones.
const STATES: usize = 8;

/// A state, and the sources it was left for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub sources: Digest,
    pub tree: Digest,
}

/// What a step begins with.
pub struct Start {
    pub state: Digest,
    pub mount: Mount,
}

/// The state that was left for the sources most like these. One that is damaged or lost is none.
pub fn start(store: &Store, warm: &Warm, lineage: &Digest, sources: Digest) -> Option<Start> {
    if warm.anew {
        return None;
    }
    let states = states(store, lineage);
    let mut with_distance: Vec<(usize, &State)> =
        states.iter().filter_map(|state| Some((differing(store, sources, state.sources).ok()?, state))).collect();
    with_distance.sort_by_key(|(differing, _)| *differing);
    with_distance.into_iter().find_map(|(_, state)| {
        let source = store.materialize(state.tree).ok()?;
        let mount = Mount { at: warm.found_at.clone().into(), kind: MountKind::ReadOnly { source } };
        Some(Start { state: state.tree, mount })
    })
}

/// Takes what a process left in `dir`, where links into the state that it began with stand for what lies there.
pub fn take(store: &Store, batch: &Batch<'_>, dir: &Path, warm: &Warm, began_with: Option<Digest>) -> Result<Digest> {
    let failed = |source| crate::store::Error::Io { tried: "read", path: dir.to_owned(), source };
    let before = began_with.map(|state| store.tree(state)).transpose()?.unwrap_or_default();
    let mut kept = Tree::default();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Ok(target) = fs::read_link(&path) else { continue };
        let name =
            target.strip_prefix(&warm.found_at).ok().and_then(Path::to_str).and_then(|name| RelPath::parse(name).ok());
        if let Some((name, node)) = name.and_then(|name| before.nodes.get_key_value(&name)) {
            fs::remove_file(&path).map_err(failed)?;
            kept.nodes.insert(name.clone(), node.clone());
        }
    }
    batch.capture_with(dir, &CaptureLimits::default(), kept)
}

/// The newest state of its lineage from now on.
pub fn keep(store: &Store, warm: &Warm, lineage: &Digest, state: State) -> Result<()> {
    let mut states = if warm.anew { Vec::new() } else { states(store, lineage) };
    states.retain(|known| known.sources != state.sources);
    states.insert(0, state);
    states.truncate(STATES);
    cache::remember(store, row(lineage), &states)
}

fn states(store: &Store, lineage: &Digest) -> Vec<State> {
    cache::recall(store, row(lineage)).ok().flatten().unwrap_or_default()
}

fn row(lineage: &Digest) -> [u8; 32] {
    cache::row(Kind::Lineage, &lineage.to_string())
}

/// How many files of a tree another one lacks or has differently. What the other one has beside them does no harm.
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

    fn warm(anew: bool) -> Warm {
        let left_in = RelPath::parse("state").unwrap();
        Warm { found_at: "/warm".to_owned(), left_in, fits: Digest::of(b""), anew }
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
    fn the_state_of_the_most_similar_sources_is_taken() {
        let (_dir, store) = store();
        let lineage = Digest::of(b"lineage");
        let sources = tree(&store, &[("a/x.py", "1"), ("a/y.py", "2"), ("b/z.py", "3")]);
        let near = tree(&store, &[("a/x.py", "1"), ("a/y.py", "edited"), ("b/z.py", "3"), ("c/more.py", "4")]);
        let far = tree(&store, &[("a/x.py", "other"), ("a/y.py", "other")]);
        assert_eq!(differing(&store, sources, near).unwrap(), 1);
        assert_eq!(differing(&store, sources, far).unwrap(), 3);

        assert!(start(&store, &warm(false), &lineage, sources).is_none());
        for (sources, text) in [(near, "near"), (far, "far")] {
            let state = State { sources, tree: tree(&store, &[("piece", text)]) };
            keep(&store, &warm(false), &lineage, state).unwrap();
        }
        let near_state = tree(&store, &[("piece", "near")]);
        assert_eq!(start(&store, &warm(false), &lineage, sources).unwrap().state, near_state);
        assert!(start(&store, &warm(true), &lineage, sources).is_none());
        assert!(start(&store, &warm(false), &Digest::of(b"another"), sources).is_none());
    }

    #[test]
    fn a_state_that_is_lost_is_passed_over() {
        let (dir, store) = store();
        let lineage = Digest::of(b"lineage");
        let (sources, other) = (tree(&store, &[("x.py", "1")]), tree(&store, &[("x.py", "2")]));
        let states =
            [(sources, "lost"), (other, "there")].map(|(sources, text)| (sources, tree(&store, &[("p", text)])));
        for (sources, tree) in states {
            keep(&store, &warm(false), &lineage, State { sources, tree }).unwrap();
        }
        let hex = Digest::of(b"lost").hex();
        fs::remove_file(dir.path().join("store/blob").join(&hex[..2]).join(&hex)).unwrap();
        assert_eq!(start(&store, &warm(false), &lineage, sources).unwrap().state, states[1].1);
    }

    #[test]
    fn beginning_anew_forgets_what_was_there() {
        let (_dir, store) = store();
        let lineage = Digest::of(b"lineage");
        let [one, two] = ["1", "2"].map(|text| tree(&store, &[("x.py", text)]));
        keep(&store, &warm(false), &lineage, State { sources: one, tree: one }).unwrap();
        keep(&store, &warm(true), &lineage, State { sources: two, tree: two }).unwrap();
        assert_eq!(states(&store, &lineage), [State { sources: two, tree: two }]);
    }

    #[test]
    fn links_into_the_state_stand_for_its_pieces() {
        use std::os::unix::fs::symlink;
        let (dir, store) = store();
        let before = tree(&store, &[("0", "base"), ("1", "more")]);
        let left = dir.path().join("left");
        fs::create_dir(&left).unwrap();
        symlink("/warm/0", left.join("0")).unwrap();
        fs::write(left.join("2"), "new").unwrap();
        let batch = store.batch();
        let state = take(&store, &batch, &left, &warm(false), Some(before)).unwrap();
        batch.commit().unwrap();
        assert_eq!(state, tree(&store, &[("0", "base"), ("2", "new")]));
    }

    #[test]
    fn links_elsewhere_are_refused() {
        use std::os::unix::fs::symlink;
        let (dir, store) = store();
        let before = tree(&store, &[("0", "base")]);
        for target in ["/etc/passwd", "/warm/other", "/warm/../etc/passwd", "/warmer/0"] {
            let left = tempfile::tempdir_in(dir.path()).unwrap();
            symlink(target, left.path().join("0")).unwrap();
            let taken = take(&store, &store.batch(), left.path(), &warm(false), Some(before));
            assert!(taken.is_err(), "{target}");
        }
    }
}
