//! Distributions to a venv image: each fetched by hash, unpacked and compiled once, then laid over each other.

use std::collections::BTreeMap;

use crate::action::{ActionGraph, Fetch, Location, Source, Step, StepId};
use crate::base::{Digest, Overlap, RelPath};
use crate::plan::interpreter::Interpreter;

const BUILD_SDIST: &str = include_str!("build_sdist.py");

/// Where the image is mounted.
pub const MOUNT: &str = "/deps";

/// One file of a distribution, as a lockfile pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    pub file_name: String,
    pub sha256: String,
    pub size_bytes: Option<u64>,
    pub locations: Vec<Location>,
}

impl Distribution {
    pub fn is_wheel(&self) -> bool {
        self.file_name.ends_with(".whl")
    }
}

/// The venv steps of one graph for one interpreter; what several venvs share is planned once.
pub struct Venvs<'g> {
    graph: &'g mut ActionGraph,
    interpreter: Interpreter,
    /// A tree without anything in it.
    empty: Digest,
    /// What every venv of this interpreter holds beside its distributions.
    skeleton: Digest,
    installed: BTreeMap<String, StepId>,
    composed: BTreeMap<Vec<String>, StepId>,
}

impl<'g> Venvs<'g> {
    pub fn new(graph: &'g mut ActionGraph, interpreter: Interpreter, empty: Digest, skeleton: Digest) -> Venvs<'g> {
        Venvs { graph, interpreter, empty, skeleton, installed: BTreeMap::new(), composed: BTreeMap::new() }
    }

    pub fn graph(&mut self) -> &mut ActionGraph {
        self.graph
    }

    /// The image of exactly these distributions. `builders` are the distributions that source distributions are built
    /// with; where two distributions hold one file, the earlier one's stays.
    pub fn compose(&mut self, distributions: &[Distribution], builders: &[Distribution]) -> StepId {
        let key: Vec<String> = distributions.iter().map(|distribution| distribution.sha256.clone()).collect();
        if let Some(id) = self.composed.get(&key) {
            return *id;
        }
        let mut parts = vec![(RelPath::root(), Source::Tree(self.skeleton))];
        for distribution in distributions {
            parts.push((RelPath::root(), Source::Output(self.install(distribution, builders))));
        }
        let id = self.graph.add(Step::Merge { parts, overlap: Overlap::FirstWins });
        self.composed.insert(key, id);
        id
    }

    /// Unpacked and compiled.
    fn install(&mut self, distribution: &Distribution, builders: &[Distribution]) -> StepId {
        if let Some(id) = self.installed.get(&distribution.sha256) {
            return *id;
        }
        let unpacked = if distribution.is_wheel() {
            self.fetch(distribution, "wheel-1")
        } else {
            self.build(distribution, builders)
        };
        let id = self.with_compiled(distribution, unpacked);
        self.installed.insert(distribution.sha256.clone(), id);
        id
    }

    fn fetch(&mut self, distribution: &Distribution, unpack: &'static str) -> StepId {
        self.graph.add(Step::Fetch(Fetch {
            label: distribution.file_name.clone(),
            file_name: distribution.file_name.clone(),
            locations: distribution.locations.clone(),
            sha256: distribution.sha256.clone(),
            size_bytes: distribution.size_bytes,
            unpack,
        }))
    }

    /// Source distributions are built in a sandbox that holds the pinned build backends.
    fn build(&mut self, distribution: &Distribution, builders: &[Distribution]) -> StepId {
        let source = self.fetch(distribution, "file-1");
        let environment = self.compose(builders, &[]);
        let argv = ["/deps/bin/python", "-c", BUILD_SDIST].map(str::to_owned).to_vec();
        let label = format!("build {}", distribution.file_name);
        let mut action = self.interpreter.action(label, argv, Source::Output(source));
        action.images.insert(MOUNT.to_owned(), Source::Output(environment));
        self.graph.add(Step::Run(Box::new(action)))
    }

    fn with_compiled(&mut self, distribution: &Distribution, unpacked: StepId) -> StepId {
        let label = format!("compile {}", distribution.file_name);
        let source = format!("{MOUNT}/site-packages");
        let lies_at = format!("{MOUNT}/lib/python{}/site-packages", self.interpreter.minor);
        let mut action = self.interpreter.compile_action(label, Source::Tree(self.empty), &source, &lies_at);
        action.images.insert(MOUNT.to_owned(), Source::Output(unpacked));
        let compiled = self.graph.add(Step::Run(Box::new(action)));
        let site_packages = RelPath::parse("site-packages").expect("the path is clean");
        let parts = vec![(RelPath::root(), Source::Output(unpacked)), (site_packages, Source::Output(compiled))];
        self.graph.add(Step::Merge { parts, overlap: Overlap::FirstWins })
    }
}
