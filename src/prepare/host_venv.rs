//! Virtual environments for use outside sandboxes: composed in the store by steps of a graph, and used from there. A second request
//! for the same packages finds the finished directory. Copies that the user may change are made in `export`.
//!
//! The wheels are those of sandboxes. The interpreter is the locked one where it runs without the pinned system tree, and
//! otherwise one with the same minor version and, if possible, the same patch version.

use std::path::PathBuf;

use crate::action::{Action, ActionGraph, Source, Step, StepId};
use crate::base::{Digest, sandbox_paths};
use crate::engine;
use crate::engine::executor::Results;
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;
use crate::plan::venv::{HostInterpreter, Placement};
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::images::Importable;
use crate::prepare::interpreters::found;
use crate::session::{self, Session, execute, toolchains};
use crate::toolchain::{Provider, host, minor_version};

/// An environment that steps of a graph compose.
#[derive(Clone, Debug)]
pub struct PlannedVenv {
    step: StepId,
    interpreter: HostInterpreter,
    /// A process that mounts the environment.
    restoring: Box<Action>,
    /// The names and versions of the packages, sorted.
    pub packages: Vec<(String, String)>,
}

/// An environment in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostVenv {
    /// The directory; read-only.
    pub root: PathBuf,
    /// The environment's interpreter.
    pub python: PathBuf,
    /// The directory of the packages.
    pub site_packages: PathBuf,
    /// The full version of the interpreter, such as `3.11.2`.
    pub version: String,
    /// The tree of the directory.
    pub tree: Digest,
}

impl Planner<'_> {
    /// Plans an environment of the packages that a process may import.
    pub fn host_venv(
        &mut self,
        constraints: &[String],
        importable: &Importable,
        placement: &Placement,
    ) -> Result<PlannedVenv, Error> {
        let interpreter = self.host_interpreter(constraints)?;
        let chosen = self.choose_packages(constraints, importable)?;
        let distributions = self.plan_distributions(constraints, &chosen)?;
        let store = self.session.services.open_store()?.root().to_string_lossy().into_owned();
        let venvs = &mut found(&mut self.interpreters, constraints)?.venvs;
        let host = (&interpreter, placement);
        let step = venvs.compose_for_host(&mut self.actions, &importable.built, &distributions, host, &store);
        let restoring = Box::new(restoring(&venvs.interpreter, step, self.empty_tree));
        let mut packages: Vec<_> =
            chosen.iter().map(|package| (package.name.to_string(), package.version.to_string())).collect();
        packages.sort();
        Ok(PlannedVenv { step, interpreter, restoring, packages })
    }

    /// The interpreter that runs these constraints' packages outside sandboxes. The locked one if it is standalone; else one of
    /// exactly the same version: of this machine, or a standalone one; else one of this machine with another patch version, which
    /// is reported.
    pub fn host_interpreter(&mut self, constraints: &[String]) -> Result<HostInterpreter, Error> {
        if let Some(known) = self.host_interpreters.get(constraints) {
            return Ok(known.clone());
        }
        let interpreter = self.find_host_interpreter(constraints)?;
        self.host_interpreters.insert(constraints.to_vec(), interpreter.clone());
        Ok(interpreter)
    }

    fn find_host_interpreter(&mut self, constraints: &[String]) -> Result<HostInterpreter, Error> {
        self.find_interpreter(constraints)?;
        let planned = found(&mut self.interpreters, constraints)?;
        let (provider, locked) = (planned.provider, planned.venvs.interpreter.clone());
        if provider == Provider::Standalone {
            return in_image(&locked).ok_or_else(|| session::Error::NoInterpreter.into());
        }
        let of_machine = toolchains::host_interpreters(self.session, constraints, &locked.version)?;
        let best = of_machine.into_iter().next();
        if let Some(exact) = best.as_ref().filter(|interpreter| interpreter.version == locked.version) {
            return Ok(of_this_machine(exact));
        }
        if let Some(tree) = toolchains::standalone_interpreter(self.session, constraints, &locked.version)? {
            let python = format!("{}/bin/python{}", mount_point(&locked.minor), locked.minor);
            let mut standalone = Interpreter { python, ..locked };
            standalone.images.insert(mount_point(&standalone.minor), Source::Tree(tree));
            let standalone = standalone.with_compiled_library(&mut self.actions, self.empty_tree);
            return in_image(&standalone).ok_or_else(|| session::Error::NoInterpreter.into());
        }
        let Some(other) = best else {
            let constraints = constraints.join(" || ");
            return Err(Error::NoHostInterpreter { constraints, version: locked.version, minor: locked.minor });
        };
        let (version, locked) = (&other.version, &locked.version);
        self.session
            .ui
            .note(&format!("Python {version} of this machine is used outside sandboxes, and {locked} inside"), None);
        Ok(of_this_machine(&other))
    }
}

/// A process that does nothing but mount the environment that a step composes. Before it starts, the engine makes everything again
/// that the store lost of the environment.
fn restoring(interpreter: &Interpreter, step: StepId, empty: Digest) -> Action {
    let argv = [interpreter.python.as_str(), "-S", "-c", ""].map(str::to_owned).to_vec();
    let mut action = interpreter.action("restore a virtual environment".to_owned(), argv, Source::Tree(empty));
    action.command.images.insert(venv::ROOT.to_owned(), Source::Output(step));
    action.policy.cache.read = false;
    action.policy.cache.write = false;
    action
}

fn mount_point(minor: &str) -> String {
    format!("{}/python{minor}", sandbox_paths::TOOLCHAIN)
}

fn of_this_machine(interpreter: &host::Interpreter) -> HostInterpreter {
    let program = interpreter.program().to_string_lossy().into_owned();
    HostInterpreter { program, version: interpreter.version.clone(), image: None }
}

/// An interpreter that one of its images contains as a whole.
fn in_image(interpreter: &Interpreter) -> Option<HostInterpreter> {
    let (at, program) = interpreter.python.split_once("/bin/")?;
    let image = *interpreter.images.get(at)?;
    Some(HostInterpreter {
        program: format!("bin/{program}"),
        version: interpreter.version.clone(),
        image: Some(image),
    })
}

impl HostVenv {
    /// The minor version of the interpreter, such as `3.11`.
    pub fn minor(&self) -> &str {
        minor_version(&self.version)
    }
}

impl PlannedVenv {
    /// The full version of the environment's interpreter.
    pub fn version(&self) -> &str {
        &self.interpreter.version
    }

    /// The minor version of the environment's interpreter, such as `3.11`.
    pub fn minor(&self) -> &str {
        minor_version(self.version())
    }

    /// Adds a step to the graph of the environment that makes everything again that the store lost of it.
    pub fn add_restoring(&self, graph: &mut ActionGraph) -> StepId {
        graph.add(Step::Run(self.restoring.clone()))
    }

    /// The steps that must be carried out before [`PlannedVenv::realize`].
    pub fn steps(&self) -> Vec<StepId> {
        let image = match self.interpreter.image {
            Some(Source::Output(step)) => Some(step),
            _ => None,
        };
        [self.step].into_iter().chain(image).collect()
    }

    /// The trees in the store that the environment uses: the interpreter, and the environment itself unless it is a copy.
    pub fn stored_parts(&self, results: &Results, is_copy: bool) -> Result<Vec<Digest>, Error> {
        let own = Some(Source::Output(self.step)).filter(|_| !is_copy);
        own.into_iter().chain(self.interpreter.image).map(|source| tree_of(source, results)).collect()
    }

    /// Creates the environment in the store from the results of the steps, unless it exists.
    pub fn realize(&self, session: &mut Session, results: &Results) -> Result<HostVenv, Error> {
        let tree = self.realize_interpreter(session, results)?;
        let root = session.services.open_store()?.materialize(tree)?;
        Ok(HostVenv {
            python: root.join("bin/python"),
            site_packages: root.join(format!("lib/python{}/site-packages", self.minor())),
            version: self.interpreter.version.clone(),
            root,
            tree,
        })
    }

    /// Creates only the interpreter that the environment uses. Returns the tree of the environment.
    pub(super) fn realize_interpreter(&self, session: &mut Session, results: &Results) -> Result<Digest, Error> {
        let store = session.services.open_store()?;
        if let Some(image) = self.interpreter.image {
            store.materialize(tree_of(image, results)?)?;
        }
        tree_of(Source::Output(self.step), results)
    }
}

/// Provides an environment in the store: plans it, carries out its steps, and creates it.
pub fn provide(
    session: &mut Session,
    plan: impl Fn(&mut Planner<'_>) -> Result<PlannedVenv, Error>,
) -> Result<HostVenv, Error> {
    let once = |session: &mut Session| {
        let mut planner = Planner::new(session)?;
        let planned = plan(&mut planner)?;
        let graph = planner.actions;
        let results = execute::execute(session, graph, &planned.steps(), false)?;
        Ok::<_, Error>((planned, results))
    };
    let (planned, results) = execute::with_repair(session, once)?;
    planned.realize(session, &results)
}

/// The tree of a source, whose step was carried out.
pub(super) fn tree_of(source: Source, results: &Results) -> Result<Digest, Error> {
    match source {
        Source::Tree(tree) => Ok(tree),
        Source::Output(step) => match results.get(&step) {
            Some(Ok(done)) => Ok(done.tree),
            Some(Err(error)) if matches!(error.root(), engine::Error::Interrupted) => {
                Err(session::Error::Interrupted.into())
            }
            Some(Err(error)) => Err(session::Error::Step(error.clone()).into()),
            None => Err(session::Error::Interrupted.into()),
        },
    }
}
