//! The standalone interpreters that uv can download. Which of them is used is decided in `toolchain`.

use crate::action::{ActionGraph, Exit, Location, Source, Step};
use crate::packaging::resolve::{self, ArtifactChoice};
use crate::packaging::{Environment, recipes};
use crate::plan::requirements;
use crate::plan::venv::{self, Distribution};
use crate::plan::{interpreter, python_list_run};
use crate::session::{Error, Session, execute, package_pages};
use crate::store::Tree;
use crate::toolchain::Toolchain;
use crate::toolchain::standalone::{ListedArchive, parse_list};
use crate::tools;

/// The list of uv, or why it cannot be read. `system` is a toolchain without an interpreter.
pub(super) fn list(session: &mut Session, system: &Toolchain) -> Result<Result<Vec<ListedArchive>, String>, Error> {
    let wheel = match uv_wheel(session)? {
        Some(wheel) => wheel,
        None => return Ok(Err("the built-in lock contains no uv for this machine".to_owned())),
    };
    let store = session.services.open_store()?;
    let empty = store.put_tree(&Tree::default())?;
    let mut graph = ActionGraph::default();
    let uv = Source::Output(venv::fetch_wheel(&mut graph, &wheel));
    let action = python_list_run::action(interpreter::images(&system.mounts), uv, empty);
    let step = graph.add(Step::Run(Box::new(action)));
    let mut results = execute::execute(session, graph, &[step], false)?;
    let outcome = match results.remove(&step).ok_or(Error::Interrupted)? {
        Ok(done) => done.outcome.ok_or(Error::Interrupted)?.1,
        Err(error) => return Ok(Err(error.root().to_string())),
    };
    if outcome.exit != Exit::Code(0) {
        return Ok(Err(format!("uv failed: {}", outcome.exit)));
    }
    Ok(parse_list(&store.get(outcome.stdout)?).map_err(|error| format!("invalid output of uv: {error}")))
}

/// The wheel of uv for this machine. It is the same for all versions of Python.
fn uv_wheel(session: &Session) -> Result<Option<Distribution>, Error> {
    const ANY_PYTHON: &str = "3.12.0";
    let indexes = session.context.package_indexes()?;
    let lock = requirements::parse_built_in("uv", tools::UV_LOCK).expect("the tests parse every built-in lock");
    let environment = Environment::linux_x86_64(ANY_PYTHON, recipes::GLIBC).expect("the version is complete");
    let chosen = resolve::resolve_whole(&lock, &environment).unwrap_or_default().pop();
    let Some(ArtifactChoice::Wheel(wheel)) = chosen.map(|chosen| chosen.artifact) else { return Ok(None) };
    let file_name = wheel.file_name.unwrap_or_default();
    let pages = package_pages(&indexes, "uv").into_iter();
    let locations = pages.map(|page| Location::Listing { page, file_name: file_name.clone() });
    Ok(Some(Distribution {
        locations: wheel.url.into_iter().map(Location::Url).chain(locations).collect(),
        file_name: file_name.clone(),
        sha256: wheel.sha256,
        size_bytes: wheel.size_bytes,
        commit_version: None,
    }))
}
