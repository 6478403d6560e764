//! `py`: runs the Python of a resolve on this machine, with all its packages and all source roots importable. Replaces the script
//! that activates an exported environment and sets `PYTHONPATH`. Pants does not have this goal.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::typed::{PySettings, PythonSettings};
use crate::goals::Error;
use crate::plan::requirements::{self, Wanted};
use crate::prepare;
use crate::prepare::host_venv::{self, HostVenv};
use crate::prepare::images::Importable;
use crate::prepare::run::placement;
use crate::session::foreground::{self, HostProgram};
use crate::session::{Session, Verdict, toolchains};
use crate::targets::kind;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = PySettings::parse(session.config());
    let python = PythonSettings::parse(session.config());
    let resolve = settings.resolve.clone().unwrap_or_else(|| python.default_resolve.clone());
    let known: Vec<String> = match python.enable_resolves {
        true => python.resolves.keys().cloned().collect(),
        false => vec![python.default_resolve.clone()],
    };
    if !known.contains(&resolve) {
        let by = "`--py-resolve`".to_owned();
        return Err(prepare::Error::from(requirements::Error::UnknownResolve { by, resolve, known }).into());
    }
    let graph = session.load_graph()?;
    // Without resolves, the requirements are pinned when they are first needed.
    let has_requirements = graph.targets().any(|target| target.kind == kind::PYTHON_REQUIREMENT);
    let constraints = toolchains::constraints_of_resolve(session.config(), &resolve);
    let venv = host_venv::provide(session, |planner| {
        let resolve = python.enable_resolves.then(|| resolve.clone());
        let wanted = Wanted { resolve, ..Wanted::default() };
        let wanted = (python.enable_resolves || has_requirements).then_some(wanted);
        let importable = Importable { wanted, is_whole: true, ..Importable::default() };
        planner.host_venv(&constraints, &importable, &placement())
    })?;
    let mut argv = vec![venv.python.to_string_lossy().into_owned()];
    argv.extend(settings.args);
    let env = activated(session, &venv)?;
    let program = HostProgram { argv, env, cwd: session.environment().cwd.clone() };
    Ok(Verdict::from_exit_code(foreground::run(session, &program)?))
}

/// The variables of an activated environment, and `PYTHONPATH` with the source roots.
fn activated(session: &mut Session, venv: &HostVenv) -> Result<BTreeMap<String, String>, Error> {
    let graph = session.load_graph()?;
    let roots = session.find_source_roots()?.roots(graph.files().iter());
    let roots: Vec<PathBuf> = roots.iter().map(|root| root.to_path(session.build_root())).collect();
    let path = |name: &str, first: &[PathBuf]| {
        let before = std::env::split_paths(session.environment().var(name).unwrap_or_default());
        let joined = std::env::join_paths(first.iter().cloned().chain(before)).unwrap_or_default();
        (name.to_owned(), joined.to_string_lossy().into_owned())
    };
    let own = ("VIRTUAL_ENV".to_owned(), venv.root.to_string_lossy().into_owned());
    Ok([own, path("PATH", &[venv.root.join("bin")]), path("PYTHONPATH", &roots)].into())
}
