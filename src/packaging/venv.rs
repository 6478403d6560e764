//! The venv image: what stands at `/deps` in a sandbox, composed of wheels' trees without unpacking anything again.
//! What a wheel's tree holds is `wheel`'s.
//!
//! ```text
//! bin/python          a link to the pinned interpreter; `python3` and `python3.12` are links to it
//! bin/…               scripts
//! lib/python3.12/site-packages/…
//! include/site/python3.12/…
//! pyvenv.cfg
//! ```
//!
//! Where two wheels want different files at one path, the first one's file stays, as it would be found first on a
//! path of separate directories; the caller decides the order (a tool's wheels before the user's) and hears of each
//! conflict. Bytecode is taken only for sources of the same wheel, since it is never checked against its source.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Digest, RelPath, sandbox_paths};
use crate::packaging::environment::Environment;
use crate::store::{self, Node, Store, Tree};

/// Where the image is mounted.
pub const ROOT: &str = sandbox_paths::DEPS;
/// The image's interpreter, for the first line of scripts.
pub const PYTHON: &str = sandbox_paths::DEPS_PYTHON;

const COMPILE: &str = include_str!("venv/compile_sources.py");
const BUILD: &str = include_str!("venv/build_sdist.py");

/// Puts first-party source roots behind the standard library and the packages, as Pants does: on `PYTHONPATH` a
/// first-party `platform.py` would hide the real one.
const SOURCE_ROOTS: &str =
    "import os, sys; sys.path.extend(filter(None, os.environ.get('WADERS_SOURCE_ROOTS', '').split(':')))\n";

/// A wheel's tree (`wheel::unpack`) and, if it was compiled, the tree that the process of `compile_argv` made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub wheel: Digest,
    pub bytecode: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub tree: Digest,
    /// Sorted by path.
    pub conflicts: Vec<Conflict>,
}

/// A part, by its position, had another file for a path than an earlier part, or than the image itself (`None`): the
/// earlier file stayed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    pub path: RelPath,
    pub kept: Option<usize>,
    pub dropped: usize,
}

/// The image of these parts for an interpreter, given by its absolute path inside the sandbox.
pub fn compose(
    store: &Store,
    interpreter: &str,
    environment: &Environment,
    parts: &[Part],
) -> Result<Image, store::Error> {
    let skeleton = skeleton(store, interpreter, environment)?;
    let lib = places(environment);
    let mut laid = vec![(RelPath::root(), skeleton)];
    for part in parts {
        for tree in [Some(part.wheel), part.bytecode].into_iter().flatten() {
            for (from, to) in &lib {
                laid.extend(store.subtree(tree, from)?.map(|subtree| (to.clone(), subtree)));
            }
        }
    }
    match store.merge(&laid) {
        Ok(tree) => Ok(Image { tree, conflicts: Vec::new() }),
        Err(store::Error::Conflict { .. }) => compose_file_by_file(store, skeleton, &lib, parts),
        Err(error) => Err(error),
    }
}

/// Compiles the sources in one directory into another as if they lay in a third (that of a venv image, if the tree
/// captured of `out` is to be a `Part`'s bytecode). The process must see a fixed `PYTHONHASHSEED`, since constant sets
/// are written in the order of their hashes.
pub fn compile_argv(interpreter: &str, sources: &str, out: &str, lie_at: &str) -> Vec<String> {
    [interpreter, "-s", "-S", "-B", "-c", COMPILE, sources, out, lie_at].map(str::to_owned).to_vec()
}

/// Builds the unpacked source distribution in the current directory, such that the tree captured of `out` is laid out
/// as a wheel's. `python` is that of an image that holds the build backend and all that the build requires: nothing is
/// downloaded. The process must see a fixed `SOURCE_DATE_EPOCH` and `PYTHONHASHSEED`.
pub fn build_argv(python: &str, out: &str) -> Vec<String> {
    [python, "-s", "-B", "-c", BUILD, out, PYTHON].map(str::to_owned).to_vec()
}

/// `lib/python3.12/site-packages`, below `ROOT`.
pub fn site_packages(environment: &Environment) -> RelPath {
    clean(&format!("lib/{}/site-packages", environment.python_name()))
}

/// What belongs to no wheel.
fn skeleton(store: &Store, interpreter: &str, environment: &Environment) -> Result<Digest, store::Error> {
    let home = interpreter.rsplit_once('/').map_or("/", |(home, _)| home);
    let config = format!("home = {home}\ninclude-system-site-packages = false\nversion = {}\n", environment.python());
    let batch = store.batch();
    let source_roots = Node::File { digest: batch.put(SOURCE_ROOTS.as_bytes(), false)?, executable: false };
    let link = |target: &str| Node::Symlink { target: target.to_owned() };
    let nodes = BTreeMap::from([
        (clean("pyvenv.cfg"), Node::File { digest: batch.put(config.as_bytes(), false)?, executable: false }),
        (clean("bin/python"), link(interpreter)),
        (clean("bin/python3"), link("python")),
        (clean(&format!("bin/{}", environment.python_name())), link("python")),
        (site_packages(environment).join(&clean("waders_source_roots.pth")), source_roots),
    ]);
    let digest = batch.put_tree(&Tree { nodes })?;
    batch.commit()?;
    Ok(digest)
}

/// Where the directories of a wheel's tree go.
fn places(environment: &Environment) -> [(RelPath, RelPath); 4] {
    [
        (clean("site-packages"), site_packages(environment)),
        (clean("bin"), clean("bin")),
        (clean("data"), RelPath::root()),
        (clean("include"), clean(&format!("include/site/{}", environment.python_name()))),
    ]
}

/// The slow way, for wheels that overlap.
fn compose_file_by_file(
    store: &Store,
    skeleton: Digest,
    places: &[(RelPath, RelPath)],
    parts: &[Part],
) -> Result<Image, store::Error> {
    let mut overlay = Overlay::default();
    overlay.nodes.extend(store.tree(skeleton)?.nodes);
    for (index, part) in parts.iter().enumerate() {
        for (path, node) in moved(store.tree(part.wheel)?, places) {
            overlay.lay(index, path, node);
        }
        let bytecode = part.bytecode.map(|bytecode| store.tree(bytecode)).transpose()?.unwrap_or_default();
        for (path, node) in moved(bytecode, places) {
            if source_of(&path)
                .is_some_and(|source| overlay.owners.get(&source).is_some_and(|owners| owners.contains(&index)))
            {
                overlay.lay(index, path, node);
            }
        }
    }
    // A directory that something was laid into is no longer empty.
    let filled: BTreeSet<RelPath> =
        overlay.nodes.keys().flat_map(|path| path.ancestors().collect::<Vec<_>>()).collect();
    overlay.nodes.retain(|path, node| *node != Node::EmptyDirectory || !filled.contains(path));
    let tree = store.put_tree(&Tree { nodes: overlay.nodes })?;
    overlay.conflicts.sort();
    Ok(Image { tree, conflicts: overlay.conflicts })
}

#[derive(Default)]
struct Overlay {
    nodes: BTreeMap<RelPath, Node>,
    /// Which parts had this very file.
    owners: BTreeMap<RelPath, BTreeSet<usize>>,
    conflicts: Vec<Conflict>,
}

impl Overlay {
    fn lay(&mut self, part: usize, path: RelPath, node: Node) {
        match self.in_the_way(&path, &node) {
            Some(there) => {
                let owners = self.owners.get(&there).and_then(BTreeSet::first);
                self.conflicts.push(Conflict { path, kept: owners.copied(), dropped: part });
            }
            None => {
                self.owners.entry(path.clone()).or_default().insert(part);
                self.nodes.insert(path, node);
            }
        }
    }

    /// Another file at the path, a file where a directory would be needed, or a directory where the file would lie.
    fn in_the_way(&self, path: &RelPath, node: &Node) -> Option<RelPath> {
        if self.nodes.get(path).is_some_and(|there| there != node) {
            return Some(path.clone());
        }
        let is_file = |path: &RelPath| self.nodes.get(path).is_some_and(|node| *node != Node::EmptyDirectory);
        let file = path.ancestors().find(is_file);
        let below = || self.nodes.range(path.clone()..).map(|(below, _)| below).find(|below| *below != path);
        file.or_else(|| below().filter(|below| below.starts_with(path)).cloned())
    }
}

fn moved(tree: Tree, places: &[(RelPath, RelPath)]) -> impl Iterator<Item = (RelPath, Node)> {
    tree.nodes.into_iter().filter_map(move |(path, node)| {
        places.iter().find_map(|(from, to)| path.strip_prefix(from).map(|rest| (to.join(&rest), node.clone())))
    })
}

/// `a/__pycache__/b.cpython-312.pyc` was made of `a/b.py`.
fn source_of(bytecode: &RelPath) -> Option<RelPath> {
    let stem = bytecode.file_name()?.strip_suffix(".pyc")?.rsplit_once('.')?.0;
    bytecode.parent()?.parent()?.push(&format!("{stem}.py")).ok()
}

fn clean(path: &str) -> RelPath {
    RelPath::parse(path).expect("made of clean names")
}

#[cfg(test)]
mod tests;
