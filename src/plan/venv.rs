//! Steps that build venv images from distributions: each distribution is fetched by hash, unpacked and compiled once, then the
//! image is composed. The layout of an image is in `packaging::venv`.

use std::collections::BTreeMap;

use crate::action::{ActionGraph, Derive, Fetch, Location, Source, Step, StepId};
use crate::base::{Digest, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The label of a build, before the file name of the source distribution.
pub const BUILD_LABEL: &str = "build ";

/// The mount point of a distribution while it is compiled.
const PART: &str = "/part";

/// One file of a distribution, as a lockfile pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// The published file name of a wheel or source distribution.
    pub file_name: String,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
    /// The size, if the lockfile records it.
    pub size_bytes: Option<u64>,
    /// Where the file can be downloaded, tried in order.
    pub locations: Vec<Location>,
}

impl Distribution {
    /// Whether this is a wheel rather than a source distribution.
    pub fn is_wheel(&self) -> bool {
        self.file_name.ends_with(".whl")
    }
}

/// The venv steps of one graph for one interpreter. Steps that several venvs share are added once.
pub struct Venvs {
    /// The interpreter that compiles and runs the packages.
    pub interpreter: Interpreter,
    /// The empty tree.
    empty: Digest,
    /// Build backends for source distributions. Empty until they are needed.
    build_backends: Vec<Distribution>,
    /// The interpreters that build source distributions with additional packages, by the hash of the distribution.
    builders: BTreeMap<String, Interpreter>,
    /// The tree of a distribution and that of its bytecode, by the hash of the distribution.
    parts: BTreeMap<String, [StepId; 2]>,
    /// The steps whose output trees contain wheel files, by the hash of the distribution.
    wheel_files: BTreeMap<String, StepId>,
    composed: BTreeMap<Vec<String>, StepId>,
}

impl Venvs {
    /// No steps yet. `empty` is the empty tree.
    pub fn new(interpreter: Interpreter, empty: Digest) -> Venvs {
        Venvs {
            interpreter,
            empty,
            build_backends: Vec::new(),
            builders: BTreeMap::new(),
            parts: BTreeMap::new(),
            wheel_files: BTreeMap::new(),
            composed: BTreeMap::new(),
        }
    }

    /// Whether the build backends have been set. Few venvs need them.
    pub fn has_build_backends(&self) -> bool {
        !self.build_backends.is_empty()
    }

    /// Sets the wheels of the build backends that build source distributions.
    pub fn set_build_backends(&mut self, build_backends: Vec<Distribution>) {
        self.build_backends = build_backends;
    }

    /// Sets the interpreter that builds one source distribution. Its images contain additional packages.
    pub fn set_builder(&mut self, distribution: &Distribution, builder: Interpreter) {
        self.builders.insert(distribution.sha256.clone(), builder);
    }

    /// The step that composes an image of exactly these distributions. If two contain the same file, that of the earlier one
    /// is used.
    pub fn compose(&mut self, graph: &mut ActionGraph, distributions: &[Distribution]) -> StepId {
        self.compose_with(graph, &[], distributions)
    }

    /// Like [`Venvs::compose`], with distributions of this repository before the others. Each is a step whose output tree has
    /// the layout of an unpacked wheel.
    pub fn compose_with(
        &mut self,
        graph: &mut ActionGraph,
        built: &[StepId],
        distributions: &[Distribution],
    ) -> StepId {
        let hashes = distributions.iter().map(|distribution| distribution.sha256.clone());
        let key: Vec<String> = built.iter().map(|step| format!("{step:?}")).chain(hashes).collect();
        if let Some(id) = self.composed.get(&key) {
            return *id;
        }
        let mut parts: Vec<StepId> = built.iter().flat_map(|tree| self.built_part(graph, *tree)).collect();
        parts.extend(distributions.iter().flat_map(|distribution| self.part(graph, distribution)));
        let id = graph.add(Step::Derive(Derive {
            label: "venv image".to_owned(),
            recipe: "venv-1",
            parameters: vec![self.interpreter.python.clone(), self.interpreter.version.clone()],
            parts: parts.into_iter().map(Source::Output).collect(),
        }));
        self.composed.insert(key, id);
        id
    }

    /// The step whose output tree contains the wheel file of a distribution: a download, or the build of a source distribution.
    pub fn wheel_file(&mut self, graph: &mut ActionGraph, distribution: &Distribution) -> StepId {
        if let Some(id) = self.wheel_files.get(&distribution.sha256) {
            return *id;
        }
        let id = match distribution.is_wheel() {
            true => fetch(graph, distribution, "file-1"),
            false => self.part(graph, distribution)[0],
        };
        self.wheel_files.insert(distribution.sha256.clone(), id);
        id
    }

    fn part(&mut self, graph: &mut ActionGraph, distribution: &Distribution) -> [StepId; 2] {
        if let Some(part) = self.parts.get(&distribution.sha256) {
            return *part;
        }
        let tree = match distribution.is_wheel() {
            true => fetch_wheel(graph, distribution),
            false => self.build(graph, distribution),
        };
        let part = [tree, self.compile(graph, &distribution.file_name, tree)];
        self.parts.insert(distribution.sha256.clone(), part);
        part
    }

    /// The tree of a distribution of this repository, and that of its bytecode.
    fn built_part(&mut self, graph: &mut ActionGraph, tree: StepId) -> [StepId; 2] {
        let label = graph.step(tree).label().to_owned();
        [tree, self.compile(graph, &label, tree)]
    }

    /// Builds a source distribution in a sandbox that contains the pinned build backends.
    fn build(&mut self, graph: &mut ActionGraph, distribution: &Distribution) -> StepId {
        let archive = fetch(graph, distribution, "sdist-1");
        let build_backends = self.build_backends.clone();
        let backends = self.compose(graph, &build_backends);
        let argv = venv::build_argv(venv::PYTHON, sandbox_paths::OUT);
        let label = format!("{BUILD_LABEL}{}", distribution.file_name);
        let builder = self.builders.get(&distribution.sha256).unwrap_or(&self.interpreter);
        let mut action = builder.action(label, argv, Source::Output(archive));
        action.command.images.insert(venv::ROOT.to_owned(), Source::Output(backends));
        graph.add(Step::Run(Box::new(action)))
    }

    fn compile(&self, graph: &mut ActionGraph, name: &str, tree: StepId) -> StepId {
        let label = format!("compile {name}");
        let [source, out] = [format!("{PART}/site-packages"), sandbox_paths::in_out("site-packages")];
        let installed_at = format!("{}/lib/python{}/site-packages", venv::ROOT, self.interpreter.minor);
        let argv = venv::compile_argv(&self.interpreter.python, &source, &out, &installed_at);
        let mut action = self.interpreter.action(label, argv, Source::Tree(self.empty));
        action.command.images.insert(PART.to_owned(), Source::Output(tree));
        graph.add(Step::Run(Box::new(action)))
    }
}

/// The step that unpacks the wheels that another step built.
pub fn unpack_built(graph: &mut ActionGraph, wheels: StepId) -> StepId {
    let label = format!("unpack the result of `{}`", graph.step(wheels).label());
    let (parameters, parts) = (Vec::new(), vec![Source::Output(wheels)]);
    graph.add(Step::Derive(Derive { label, recipe: "wheels-1", parameters, parts }))
}

/// The step that unpacks the metadata and scripts of the wheels that another step built, without their code: for editable
/// installations, in which a `.pth` file names the source roots.
pub fn unpack_metadata(graph: &mut ActionGraph, wheels: StepId) -> StepId {
    let label = format!("unpack the metadata of `{}`", graph.step(wheels).label());
    let (parameters, parts) = (Vec::new(), vec![Source::Output(wheels)]);
    graph.add(Step::Derive(Derive { label, recipe: "metadata-of-wheels-1", parameters, parts }))
}

/// The step that downloads and unpacks a wheel, without installing it.
pub fn fetch_wheel(graph: &mut ActionGraph, wheel: &Distribution) -> StepId {
    fetch(graph, wheel, "wheel-1")
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
