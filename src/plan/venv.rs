//! Distributions to a venv image: each fetched by hash, unpacked and compiled once, then composed.

use std::collections::BTreeMap;

use crate::action::{ActionGraph, Derive, Fetch, Location, Source, Step, StepId};
use crate::base::{Digest, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The mount point of a distribution while it is compiled.
const PART: &str = "/part";

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
pub struct Venvs {
    pub interpreter: Interpreter,
    /// The empty tree.
    empty: Digest,
    /// Build backends for source distributions; empty until they are needed.
    builders: Vec<Distribution>,
    /// The tree of a distribution and that of its bytecode, by the hash of the distribution.
    parts: BTreeMap<String, [StepId; 2]>,
    composed: BTreeMap<Vec<String>, StepId>,
}

impl Venvs {
    pub fn new(interpreter: Interpreter, empty: Digest) -> Venvs {
        Venvs { interpreter, empty, builders: Vec::new(), parts: BTreeMap::new(), composed: BTreeMap::new() }
    }

    /// Whether build backends are set: few venvs need them.
    pub fn can_build(&self) -> bool {
        !self.builders.is_empty()
    }

    pub fn build_with(&mut self, builders: Vec<Distribution>) {
        self.builders = builders;
    }

    /// The image of exactly these distributions. If two contain the same file, that of the earlier one is used.
    pub fn compose(&mut self, graph: &mut ActionGraph, distributions: &[Distribution]) -> StepId {
        let key: Vec<String> = distributions.iter().map(|distribution| distribution.sha256.clone()).collect();
        if let Some(id) = self.composed.get(&key) {
            return *id;
        }
        let parts: Vec<StepId> = distributions.iter().flat_map(|distribution| self.part(graph, distribution)).collect();
        let id = graph.add(Step::Derive(Derive {
            label: "venv image".to_owned(),
            recipe: "venv-1",
            parameters: vec![self.interpreter.python.clone(), self.interpreter.version.clone()],
            parts: parts.into_iter().map(Source::Output).collect(),
        }));
        self.composed.insert(key, id);
        id
    }

    fn part(&mut self, graph: &mut ActionGraph, distribution: &Distribution) -> [StepId; 2] {
        if let Some(part) = self.parts.get(&distribution.sha256) {
            return *part;
        }
        let tree = match distribution.is_wheel() {
            true => fetch(graph, distribution, "wheel-1"),
            false => self.build(graph, distribution),
        };
        let part = [tree, self.compile(graph, distribution, tree)];
        self.parts.insert(distribution.sha256.clone(), part);
        part
    }

    /// Source distributions are built in a sandbox that holds the pinned build backends.
    fn build(&mut self, graph: &mut ActionGraph, distribution: &Distribution) -> StepId {
        let archive = fetch(graph, distribution, "sdist-1");
        let builders = self.builders.clone();
        let backends = self.compose(graph, &builders);
        let argv = venv::build_argv(venv::PYTHON, sandbox_paths::OUT);
        let label = format!("build {}", distribution.file_name);
        let mut action = self.interpreter.action(label, argv, Source::Output(archive));
        action.command.images.insert(venv::ROOT.to_owned(), Source::Output(backends));
        graph.add(Step::Run(Box::new(action)))
    }

    fn compile(&self, graph: &mut ActionGraph, distribution: &Distribution, tree: StepId) -> StepId {
        let label = format!("compile {}", distribution.file_name);
        let [source, out] = [format!("{PART}/site-packages"), sandbox_paths::in_out("site-packages")];
        let lies_at = format!("{}/lib/python{}/site-packages", venv::ROOT, self.interpreter.minor);
        let argv = venv::compile_argv(&self.interpreter.python, &source, &out, &lies_at);
        let mut action = self.interpreter.action(label, argv, Source::Tree(self.empty));
        action.command.images.insert(PART.to_owned(), Source::Output(tree));
        graph.add(Step::Run(Box::new(action)))
    }
}

fn fetch(graph: &mut ActionGraph, distribution: &Distribution, unpack: &'static str) -> StepId {
    graph.add(Step::Fetch(Fetch {
        label: distribution.file_name.clone(),
        file_name: distribution.file_name.clone(),
        locations: distribution.locations.clone(),
        sha256: distribution.sha256.clone(),
        size_bytes: distribution.size_bytes,
        unpack,
    }))
}
