//! Composes venv images from the trees of wheels, without unpacking the wheels again. A venv image is mounted at `/deps`
//! in sandboxes. The trees of wheels are created in `wheel`.
//!
//! ```text
//! bin/python          a link to the pinned interpreter; `python3` and `python3.12` are links to this
//! bin/…               scripts
//! lib/python3.12/site-packages/…
//! include/site/python3.12/…
//! pyvenv.cfg
//! ```
//!
//! If two wheels contain different files at the same path, the file of the first wheel is used, as it would be found first
//! on an import path of separate directories. The caller decides the order (a tool's wheels before the user's) and
//! receives a list of conflicts. Bytecode is installed only for sources of the same wheel, because the interpreter does
//! not check it against its source.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Digest, RelPath, sandbox_paths};
use crate::packaging::environment::Environment;
use crate::store::{self, Node, Store, Tree};

/// Where the image is mounted.
pub const ROOT: &str = sandbox_paths::DEPS;
/// The path of the image's interpreter, for the first line of scripts.
pub const PYTHON: &str = "/deps/bin/python";

const COMPILE: &str = include_str!("venv/compile_sources.py");
const BUILD: &str = include_str!("venv/build_sdist.py");

/// Appends the source roots that a variable names, in environments outside sandboxes.
pub(super) const SOURCE_ROOTS: &str =
    "import os, sys; sys.path.extend(filter(None, os.environ.get('WADERS_SOURCE_ROOTS', '').split(':')))\n";

/// A program that runs at every start of Python in an image.
const DISTRIBUTION_ORDER: &str = include_str!("venv/distribution_order.py");

/// The module of an image that pytest loads as a plugin.
pub const TEST_RESULTS: &str = "waders_test_results";
const TEST_RESULTS_SOURCE: &str = include_str!("venv/test_results.py");

/// One wheel of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layer {
    /// The tree of the wheel, from `wheel::unpack`.
    pub wheel: Digest,
    /// The output tree of the process of `compile_argv`, if the wheel was compiled.
    pub bytecode: Option<Digest>,
}

/// A composed venv image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The files of the image.
    pub tree: Digest,
    /// Sorted by path.
    pub conflicts: Vec<Conflict>,
}

/// A file that was dropped because an earlier layer has a different file at its path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The path in the image.
    pub path: RelPath,
    /// The index of the layer whose file is used; `None` for a file of the image itself.
    pub kept: Option<usize>,
    /// The index of the layer whose file was dropped.
    pub dropped: usize,
}

/// Composes an image for an interpreter, which is given by its absolute path in the sandbox.
pub fn compose(
    store: &Store,
    interpreter: &str,
    environment: &Environment,
    layers: &[Layer],
) -> Result<Image, store::Error> {
    let skeleton = skeleton(store, interpreter, environment)?;
    compose_on(store, skeleton, environment, layers)
}

/// Composes an image that also contains the files of `skeleton`, which no layer replaces.
pub(super) fn compose_on(
    store: &Store,
    skeleton: Digest,
    environment: &Environment,
    layers: &[Layer],
) -> Result<Image, store::Error> {
    let directories = install_directories(environment);
    let mut trees = vec![(RelPath::root(), skeleton)];
    for layer in layers {
        for tree in [Some(layer.wheel), layer.bytecode].into_iter().flatten() {
            for (from, to) in &directories {
                trees.extend(store.subtree(tree, from)?.map(|subtree| (to.clone(), subtree)));
            }
        }
    }
    match store.merge(&trees) {
        Ok(tree) => Ok(Image { tree, conflicts: Vec::new() }),
        Err(store::Error::Conflict { .. }) => compose_file_by_file(store, skeleton, &directories, layers),
        Err(error) => Err(error),
    }
}

/// The command that compiles the sources in one directory and writes the bytecode to another. `installed_at` is the
/// directory in the venv image where the sources will be imported from. The environment must contain a fixed
/// `PYTHONHASHSEED`, because constant sets are written in the order of their hashes.
pub fn compile_argv(interpreter: &str, sources: &str, out: &str, installed_at: &str) -> Vec<String> {
    [interpreter, "-s", "-S", "-B", "-c", COMPILE, sources, out, installed_at].map(str::to_owned).to_vec()
}

/// The command that builds the unpacked source distribution in the current directory and writes a tree with the layout of
/// an unpacked wheel to `out`. `python` is the interpreter of an image with the build backend and all build requirements;
/// nothing is downloaded. The environment must contain a fixed `SOURCE_DATE_EPOCH` and `PYTHONHASHSEED`.
pub fn build_argv(python: &str, out: &str) -> Vec<String> {
    [python, "-s", "-B", "-c", BUILD, out, PYTHON].map(str::to_owned).to_vec()
}

/// The path of `site-packages` below `ROOT`, such as `lib/python3.12/site-packages`.
pub fn site_packages(environment: &Environment) -> RelPath {
    rel_path(&format!("lib/{}/site-packages", environment.python_name()))
}

/// The files of the image that belong to no wheel.
fn skeleton(store: &Store, interpreter: &str, environment: &Environment) -> Result<Digest, store::Error> {
    let home = interpreter.rsplit_once('/').map_or("/", |(home, _)| home);
    let config = format!("home = {home}\ninclude-system-site-packages = false\nversion = {}\n", environment.python());
    let links = [("bin/python", interpreter), ("bin/python3", "python")].map(|(at, target)| (rel_path(at), target));
    let source_roots = sandbox_source_roots();
    let links = links.into_iter().chain([(source_roots_file(environment), source_roots.as_str())]);
    let files = [
        (rel_path("pyvenv.cfg"), config.into_bytes()),
        (
            site_packages(environment).join(&rel_path("waders_distribution_order.pth")),
            distribution_order().into_bytes(),
        ),
        (
            site_packages(environment).join(&rel_path(&format!("{TEST_RESULTS}.py"))),
            TEST_RESULTS_SOURCE.as_bytes().to_vec(),
        ),
    ];
    put_skeleton(store, environment, links, files)
}

/// The line of a `.pth` file that runs `DISTRIBUTION_ORDER`: the module `site` executes lines that begin with `import`.
fn distribution_order() -> String {
    let text = DISTRIBUTION_ORDER.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
    format!("import sys; exec('{text}', {{}})\n")
}

/// The file or link of `site-packages` that adds first-party source roots to the import path.
pub(super) fn source_roots_file(environment: &Environment) -> RelPath {
    site_packages(environment).join(&rel_path("waders_source_roots.pth"))
}

/// The target of the link through which the interpreters of a sandbox append first-party source roots after the standard library and the
/// packages, as Pants does. On `PYTHONPATH`, a first-party `platform.py` would shadow the standard module. It is a file next to the image,
/// so that programs with images at different places have different source roots. Where a sandbox has no such file, Python ignores the link.
fn sandbox_source_roots() -> String {
    format!("../../../..{}/{}", sandbox_paths::SOURCE_ROOTS, sandbox_paths::SOURCE_ROOTS_FILE)
}

/// Stores a tree of links and files; `bin/python3.12`, which every venv has, is added.
pub(super) fn put_skeleton<'l>(
    store: &Store,
    environment: &Environment,
    links: impl IntoIterator<Item = (RelPath, &'l str)>,
    files: impl IntoIterator<Item = (RelPath, Vec<u8>)>,
) -> Result<Digest, store::Error> {
    let batch = store.batch();
    let mut nodes = BTreeMap::new();
    let own = (rel_path(&format!("bin/{}", environment.python_name())), "python");
    for (at, target) in links.into_iter().chain([own]) {
        nodes.insert(at, Node::Symlink { target: target.to_owned() });
    }
    for (at, bytes) in files {
        nodes.insert(at, Node::File { digest: batch.put(&bytes, false)?, executable: false });
    }
    let digest = batch.put_tree(&Tree { nodes })?;
    batch.commit()?;
    Ok(digest)
}

/// The directories of a wheel's tree, and where they are installed.
fn install_directories(environment: &Environment) -> [(RelPath, RelPath); 4] {
    [
        (rel_path("site-packages"), site_packages(environment)),
        (rel_path("bin"), rel_path("bin")),
        (rel_path("data"), RelPath::root()),
        (rel_path("include"), rel_path(&format!("include/site/{}", environment.python_name()))),
    ]
}

/// Composes an image one file at a time. This is slower, but it handles wheels with conflicting files.
fn compose_file_by_file(
    store: &Store,
    skeleton: Digest,
    directories: &[(RelPath, RelPath)],
    layers: &[Layer],
) -> Result<Image, store::Error> {
    let mut overlay = Overlay::default();
    overlay.nodes.extend(store.tree(skeleton)?.nodes);
    for (index, layer) in layers.iter().enumerate() {
        for (path, node) in installed(store.tree(layer.wheel)?, directories) {
            overlay.add(index, path, node);
        }
        let bytecode = layer.bytecode.map(|bytecode| store.tree(bytecode)).transpose()?.unwrap_or_default();
        for (path, node) in installed(bytecode, directories) {
            if source_of(&path)
                .is_some_and(|source| overlay.owners.get(&source).is_some_and(|owners| owners.contains(&index)))
            {
                overlay.add(index, path, node);
            }
        }
    }
    // A directory with files in it is no longer an empty directory.
    let filled: BTreeSet<RelPath> =
        overlay.nodes.keys().flat_map(|path| path.ancestors().collect::<Vec<_>>()).collect();
    overlay.nodes.retain(|path, node| *node != Node::EmptyDirectory || !filled.contains(path));
    let tree = store.put_tree(&Tree { nodes: overlay.nodes })?;
    overlay.conflicts.sort();
    Ok(Image { tree, conflicts: overlay.conflicts })
}

/// The files of an image while layers are added.
#[derive(Default)]
struct Overlay {
    nodes: BTreeMap<RelPath, Node>,
    /// The layers that have exactly this file.
    owners: BTreeMap<RelPath, BTreeSet<usize>>,
    conflicts: Vec<Conflict>,
}

impl Overlay {
    fn add(&mut self, layer: usize, path: RelPath, node: Node) {
        match self.find_conflict(&path, &node) {
            Some(existing) => {
                let owners = self.owners.get(&existing).and_then(BTreeSet::first);
                self.conflicts.push(Conflict { path, kept: owners.copied(), dropped: layer });
            }
            None => {
                self.owners.entry(path.clone()).or_default().insert(layer);
                self.nodes.insert(path, node);
            }
        }
    }

    /// The path that conflicts with a new node: a different file at the same path, a file at a parent directory of the
    /// path, or a file below the path.
    fn find_conflict(&self, path: &RelPath, node: &Node) -> Option<RelPath> {
        if self.nodes.get(path).is_some_and(|existing| existing != node) {
            return Some(path.clone());
        }
        let is_file = |path: &RelPath| self.nodes.get(path).is_some_and(|node| *node != Node::EmptyDirectory);
        let file = path.ancestors().find(is_file);
        let below = || self.nodes.range(path.clone()..).map(|(below, _)| below).find(|below| *below != path);
        file.or_else(|| below().filter(|below| below.starts_with(path)).cloned())
    }
}

/// The nodes of a wheel's tree at their installed paths.
fn installed(tree: Tree, directories: &[(RelPath, RelPath)]) -> impl Iterator<Item = (RelPath, Node)> {
    tree.nodes.into_iter().filter_map(move |(path, node)| {
        directories.iter().find_map(|(from, to)| path.strip_prefix(from).map(|rest| (to.join(&rest), node.clone())))
    })
}

/// The source of a bytecode file: `a/b.py` for `a/__pycache__/b.cpython-312.pyc`.
fn source_of(bytecode: &RelPath) -> Option<RelPath> {
    let stem = bytecode.file_name()?.strip_suffix(".pyc")?.rsplit_once('.')?.0;
    bytecode.parent()?.parent()?.push(&format!("{stem}.py")).ok()
}

fn rel_path(path: &str) -> RelPath {
    RelPath::parse(path).expect("composed of valid names")
}

#[cfg(test)]
mod tests;
