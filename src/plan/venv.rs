//! Steps that build venv images from distributions: each distribution is fetched by hash, unpacked and compiled once, then the
//! image is composed. The layout of an image is in `packaging::venv`.

use std::collections::BTreeMap;

use crate::action::{ActionGraph, Derive, Fetch, Location, Measurement, Source, Step, StepId};
use crate::base::{Digest, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The label of a build, before the file name of the source distribution.
pub const BUILD_LABEL: &str = "build ";

/// The variables in which plugins of build backends expect a version if there is no repository.
const VERSION_VARIABLES: [&str; 5] = [
    "PBR_VERSION",
    "PDM_BUILD_SCM_VERSION",
    "POETRY_DYNAMIC_VERSIONING_BYPASS",
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "UV_DYNAMIC_VERSIONING_BYPASS",
];

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
    /// The version of an archive of a commit, from which build backends cannot find it out without the repository.
    pub commit_version: Option<String>,
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
    /// The interpreter that builds source distributions. No bytecode is compiled for builds, whose results are kept: to
    /// compile the standard library and the build backends takes longer than some builds without bytecode.
    builder: Interpreter,
    /// The interpreters that build source distributions with additional packages, by the hash of the distribution.
    builders: BTreeMap<String, Interpreter>,
    /// The tree of each distribution, by its hash.
    trees: BTreeMap<String, StepId>,
    /// The bytecode of each tree.
    bytecode: BTreeMap<StepId, StepId>,
    /// The steps whose output trees contain wheel files, by the hash of the distribution.
    wheel_files: BTreeMap<String, StepId>,
    composed: BTreeMap<(Vec<String>, bool), StepId>,
}

/// The interpreter of this machine that runs an environment outside sandboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInterpreter {
    /// The absolute path of the program, or its path in `image`.
    pub program: String,
    /// The full version, such as `3.11.2`.
    pub version: String,
    /// The tree of an interpreter in the store.
    pub image: Option<Source>,
}

/// What an environment for use outside sandboxes is composed for; see `packaging::host_venv::HostVenv`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement {
    /// Where the environment will be used; absolute. `None` if it is used where the store creates it.
    pub location: Option<String>,
    /// Its name in the shell's prompt.
    pub prompt: String,
    /// Arguments of the interpreter in the first line of scripts.
    pub script_args: String,
    /// Whether the environment contains bytecode, because Python cannot add it: the environment is read-only.
    pub has_bytecode: bool,
    /// Directories of the repository that it imports from; absolute.
    pub source_roots: Vec<String>,
}

impl Placement {
    /// For an environment that is used where the store creates it.
    pub fn in_store() -> Placement {
        Placement { has_bytecode: true, ..Placement::default() }
    }
}

impl Venvs {
    /// No steps yet. `builder` is the interpreter that builds source distributions, `empty` the empty tree.
    pub fn new(interpreter: Interpreter, builder: Interpreter, empty: Digest) -> Venvs {
        Venvs {
            interpreter,
            empty,
            build_backends: Vec::new(),
            builder,
            builders: BTreeMap::new(),
            trees: BTreeMap::new(),
            bytecode: BTreeMap::new(),
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
        self.compose_image(graph, built, distributions, true)
    }

    fn compose_image(
        &mut self,
        graph: &mut ActionGraph,
        built: &[StepId],
        distributions: &[Distribution],
        has_bytecode: bool,
    ) -> StepId {
        let hashes = distributions.iter().map(|distribution| distribution.sha256.clone());
        let names: Vec<String> = built.iter().map(|step| format!("{step:?}")).chain(hashes).collect();
        let key = (names, has_bytecode);
        if let Some(id) = self.composed.get(&key) {
            return *id;
        }
        let parts = self.parts(graph, built, distributions, has_bytecode);
        let id = graph.add(Step::Derive(Derive {
            label: "venv image".to_owned(),
            recipe: "venv-6",
            parameters: vec![self.interpreter.python.clone(), self.interpreter.version.clone()],
            parts,
        }));
        self.composed.insert(key, id);
        id
    }

    /// The step that composes an environment for use outside sandboxes, of the same distributions as in [`Venvs::compose_with`].
    /// `store` is the root of the store.
    pub fn compose_for_host(
        &mut self,
        graph: &mut ActionGraph,
        built: &[StepId],
        distributions: &[Distribution],
        host: (&HostInterpreter, &Placement),
        store: &str,
    ) -> StepId {
        let (interpreter, placement) = host;
        let image = interpreter.image.unwrap_or(Source::Tree(self.empty));
        let location = placement.location.as_deref().unwrap_or_default();
        let source_roots = placement.source_roots.join("\n");
        let Placement { prompt, script_args, .. } = placement;
        let words = [&interpreter.program, &interpreter.version, location, prompt, script_args, &source_roots, store];
        let derive = Derive {
            label: "virtual environment".to_owned(),
            recipe: "host-venv-1",
            parameters: words.map(str::to_owned).to_vec(),
            parts: [image].into_iter().chain(self.parts(graph, built, distributions, placement.has_bytecode)).collect(),
        };
        graph.add(Step::Derive(derive))
    }

    /// The step whose output tree contains the wheel file of a distribution: a download, or the build of a source distribution.
    pub fn wheel_file(&mut self, graph: &mut ActionGraph, distribution: &Distribution) -> StepId {
        if let Some(id) = self.wheel_files.get(&distribution.sha256) {
            return *id;
        }
        let id = match distribution.is_wheel() {
            true => fetch(graph, distribution, "file-1"),
            false => self.tree(graph, distribution),
        };
        self.wheel_files.insert(distribution.sha256.clone(), id);
        id
    }

    /// The trees of each distribution and of its bytecode, or of no bytecode.
    fn parts(
        &mut self,
        graph: &mut ActionGraph,
        built: &[StepId],
        distributions: &[Distribution],
        has_bytecode: bool,
    ) -> Vec<Source> {
        let mut trees: Vec<(StepId, String)> =
            built.iter().map(|tree| (*tree, graph.step(*tree).label().to_owned())).collect();
        trees.extend(distributions.iter().map(|one| (self.tree(graph, one), one.file_name.clone())));
        let bytecode = |(tree, name): (StepId, String)| match has_bytecode {
            true => [Source::Output(tree), Source::Output(self.compile(graph, &name, tree))],
            false => [Source::Output(tree), Source::Tree(self.empty)],
        };
        trees.into_iter().flat_map(bytecode).collect()
    }

    fn tree(&mut self, graph: &mut ActionGraph, distribution: &Distribution) -> StepId {
        if let Some(tree) = self.trees.get(&distribution.sha256) {
            return *tree;
        }
        let tree = match distribution.is_wheel() {
            true => fetch_wheel(graph, distribution),
            false => self.build(graph, distribution),
        };
        self.trees.insert(distribution.sha256.clone(), tree);
        tree
    }

    /// Builds a source distribution in a sandbox that contains the pinned build backends.
    fn build(&mut self, graph: &mut ActionGraph, distribution: &Distribution) -> StepId {
        let archive = fetch(graph, distribution, "sdist-1");
        let build_backends = self.build_backends.clone();
        let backends = self.compose_image(graph, &[], &build_backends, false);
        let argv = venv::build_argv(venv::PYTHON, sandbox_paths::OUT);
        let label = format!("{BUILD_LABEL}{}", distribution.file_name);
        let builder = self.builders.get(&distribution.sha256).unwrap_or(&self.builder);
        let mut action = builder.action(label, argv, Source::Output(archive));
        action.command.images.insert(venv::ROOT.to_owned(), Source::Output(backends));
        for name in VERSION_VARIABLES {
            action.command.env.extend(distribution.commit_version.clone().map(|version| (name.to_owned(), version)));
        }
        // Build backends name their temporary directories.
        action.policy.measurements = vec![Measurement::log()];
        graph.add(Step::Run(Box::new(action)))
    }

    fn compile(&mut self, graph: &mut ActionGraph, name: &str, tree: StepId) -> StepId {
        if let Some(bytecode) = self.bytecode.get(&tree) {
            return *bytecode;
        }
        let label = format!("compile {name}");
        let [source, out] = [format!("{PART}/site-packages"), sandbox_paths::in_out("site-packages")];
        let installed_at = format!("{}/lib/python{}/site-packages", venv::ROOT, self.interpreter.minor);
        let argv = venv::compile_argv(&self.interpreter.python, &source, &out, &installed_at);
        let mut action = self.interpreter.action(label, argv, Source::Tree(self.empty));
        action.command.images.insert(PART.to_owned(), Source::Output(tree));
        let bytecode = graph.add(Step::Run(Box::new(action)));
        self.bytecode.insert(tree, bytecode);
        bytecode
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
