//! The action that builds a distribution with its build backend, in a sandbox without network. Its inputs are planned in
//! `prepare::package`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::action::{Action, Measurement, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::environment;
use crate::plan::interpreter::Interpreter;

const BUILD: &str = include_str!("build_distribution.py");

/// What is built, in the form of the argument of `build_distribution.py`.
#[derive(Clone, Debug, Serialize)]
pub struct BuildOptions {
    /// The build backend: a module, or a module and an attribute, as in `build-backend` of pyproject.toml.
    pub backend: String,
    /// Directories below the project that are put on the import path for the backend.
    pub backend_path: Vec<String>,
    /// Whether a wheel is built.
    pub wheel: bool,
    /// Whether a source distribution is built.
    pub sdist: bool,
    /// The settings that the backend gets for the wheel.
    pub wheel_settings: Map<String, Value>,
    /// The settings that the backend gets for the source distribution.
    pub sdist_settings: Map<String, Value>,
}

/// A distribution that is built.
#[derive(Clone, Debug)]
pub struct Project {
    /// The address of the target.
    pub label: String,
    /// The tree of the project's sources.
    pub sources: Source,
    /// The directory of the project in the tree.
    pub dir: RelPath,
    /// Environment variables that the target requests.
    pub env: BTreeMap<String, String>,
    /// The directory below the output root for the built files.
    pub output_dir: RelPath,
    /// What is built.
    pub options: BuildOptions,
}

/// The action that builds a project. `backend` is a venv image with the build requirements.
pub fn action(interpreter: &Interpreter, backend: Source, project: &Project) -> Action {
    let options = serde_json::to_string(&project.options).expect("texts and flags are JSON");
    let out = sandbox_paths::in_out(project.output_dir.as_str());
    let argv = [venv::PYTHON, "-s", "-B", "-c", BUILD, out.trim_end_matches('/'), &options];
    let argv = argv.map(str::to_owned).to_vec();
    let mut action = interpreter.action(format!("build {}", project.label), argv, project.sources);
    action.command.images.insert(venv::ROOT.to_owned(), backend);
    action.command.cwd = project.dir.clone();
    environment::add_requested(&mut action.command.env, &project.env);
    // Build backends name their temporary directories.
    action.policy.measurements = vec![Measurement::log()];
    action.policy.remote = true;
    action
}
