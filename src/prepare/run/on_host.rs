//! What a program on this machine gets in place of a sandbox: a copy of its sources outside the repository, and variables. Its
//! virtual environment is provided by `host_venv`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::action::Source;
use crate::base::{Digest, RelPath};
use crate::engine::executor::Results;
use crate::plan::venv::Placement;
use crate::prepare::host_venv::{PlannedVenv, tree_of};
use crate::prepare::images::Importable;
use crate::prepare::run::Needs;
use crate::prepare::{Error, Planner};
use crate::session::{Session, execute};
use crate::store::Scratch;

/// A directory with the sources of a program.
#[derive(Debug)]
pub enum HostSources {
    /// The build root.
    InPlace(PathBuf),
    /// A copy, which is removed when this is dropped.
    Copy(Scratch),
    /// A copy that the user wants to keep.
    Kept(PathBuf),
}

impl HostSources {
    /// A copy of a tree: on the file system of the store, or, if it is not removed, in a new directory for temporary files.
    pub fn copy(session: &mut Session, tree: Digest, remove: bool) -> Result<HostSources, Error> {
        let store = session.services.open_store()?;
        store.write_lazy_tree(tree)?;
        let sources = match remove {
            true => HostSources::Copy(store.scratch()?),
            false => {
                let dir = tempfile::Builder::new().prefix("waders-run-").tempdir();
                HostSources::Kept(dir.map_err(|source| Error::TemporaryDirectory { source })?.keep())
            }
        };
        store.copy_out(tree, sources.dir())?;
        Ok(sources)
    }

    /// A copy of the files that some targets need, generated ones included.
    pub fn of(session: &mut Session, needs: &Needs, remove: bool) -> Result<HostSources, Error> {
        let once = |session: &mut Session| {
            let mut planner = Planner::new(session)?;
            let source = needs.plan_sources(&mut planner)?;
            let graph = planner.actions;
            let steps = if let Source::Output(step) = source { vec![step] } else { Vec::new() };
            let results =
                if steps.is_empty() { Results::new() } else { execute::execute(session, graph, &steps, false)? };
            Ok::<_, Error>((source, results))
        };
        let (source, results) = execute::with_repair(session, once)?;
        HostSources::copy(session, tree_of(source, &results)?, remove)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        match self {
            HostSources::InPlace(dir) | HostSources::Kept(dir) => dir,
            HostSources::Copy(scratch) => scratch.path(),
        }
    }
}

/// Where the environment of a program is used: in the store. Its scripts ignore the variables and packages of the user.
pub fn placement() -> Placement {
    Placement { script_args: "-sE".to_owned(), ..Placement::in_store() }
}

impl Needs {
    /// Plans the environment of a program on this machine, and of a tool that starts it. A program that runs on the sources of the
    /// repository (`in_place`) has no installed distributions: they would hide the sources.
    pub fn plan_host_venv(
        &self,
        planner: &mut Planner<'_>,
        tool: Option<&str>,
        in_place: bool,
    ) -> Result<PlannedVenv, Error> {
        let (tool, wanted, project) = (tool.map(str::to_owned), Some(self.wanted.clone()), self.project.clone());
        let mut built = if in_place { Vec::new() } else { self.plan_distributions(planner)? };
        built.extend(self.plan_metadata(planner));
        let importable = Importable { tool, wanted, project, built, ..Importable::default() };
        planner.host_venv(&self.constraints, &importable, &placement())
    }
}

/// The variables of a program on this machine that imports from these source roots below `sources` and from the packages of
/// `venv`.
pub fn host_env(sources: &Path, source_roots: &[RelPath], venv: &Path) -> BTreeMap<String, String> {
    let roots: Vec<String> =
        source_roots.iter().map(|root| root.to_path(sources).to_string_lossy().into_owned()).collect();
    BTreeMap::from([
        ("VIRTUAL_ENV".to_owned(), venv.to_string_lossy().into_owned()),
        ("WADERS_SOURCE_ROOTS".to_owned(), roots.join(":")),
    ])
}
