//! Plans exported environments: one for each resolve and tool. One that cannot be planned carries the reason and does not stop the
//! others. How they are written to the directory for results is in `directory`, settings for editors are in `ide`.

mod copy;
pub mod directory;
mod editable;
pub mod ide;
pub mod subjects;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::action::{ActionGraph, StepId};
use crate::config::typed::{ExportSettings, ResolveFormat, ToolSettings};
use crate::engine::executor::Results;
use crate::inference::InferenceSettings;
use crate::inference::closure::Closures;
use crate::packaging::requirement;
use crate::plan::requirements::{self, Wanted};
use crate::plan::venv::Placement;
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::export::directory::{Environment, ExportDirectory, Placed};
use crate::prepare::export::editable::{EditablePlanner, Installed};
use crate::prepare::export::subjects::Subject;
use crate::prepare::host_venv::PlannedVenv;
use crate::prepare::images::Importable;
use crate::prepare::package::{PackagePlanner, distribution};
use crate::session::failure::Failure;
use crate::session::{self, Session, execute, toolchains};
use crate::store;
use crate::toolchain::Constraints;
use crate::tools::Tool;

/// The name of the packages that `[export] extra_requirements` asks for, also in the name of their lock.
const EXTRA: &str = "export";

/// The environments of one run, planned.
pub struct PlannedExports {
    /// The steps of all environments.
    pub graph: ActionGraph,
    /// In the order of the subjects.
    pub exports: Vec<PlannedExport>,
}

/// One environment.
pub struct PlannedExport {
    /// What it is exported for.
    pub subject: Subject,
    /// The environment, or why it could not be planned.
    pub venv: Result<PlannedVenv, Failure>,
}

impl PlannedExports {
    /// The steps to carry out.
    pub fn steps(&self) -> Vec<StepId> {
        self.exports.iter().filter_map(|export| export.venv.as_ref().ok()).flat_map(PlannedVenv::steps).collect()
    }
}

/// Plans an environment for each subject.
pub fn plan(session: &mut Session, subjects: &[Subject], settings: &ExportSettings) -> Result<PlannedExports, Error> {
    let is_editable = |subject: &Subject| settings.editable_in.iter().any(|resolve| resolve == subject.name());
    if !subjects.iter().any(is_editable) {
        return plan_with(session, subjects, settings, None);
    }
    let graph = session.load_graph()?;
    let dependencies = session.infer_for(&distribution::candidates(&graph, &[]))?;
    let inference = InferenceSettings::from_config(session.config())?;
    let roots = session.find_source_roots()?;
    let closures = Closures::new(&graph, &dependencies, &inference, &roots);
    let packages = PackagePlanner::new(&graph, &dependencies, &closures, &roots);
    let editable = EditablePlanner { graph: &graph, dependencies: &dependencies, roots: &roots, packages };
    let planned = plan_with(session, subjects, settings, Some(editable))?;
    session.services.open_sources()?.save()?;
    Ok(planned)
}

fn plan_with(
    session: &mut Session,
    subjects: &[Subject],
    settings: &ExportSettings,
    editable: Option<EditablePlanner<'_>>,
) -> Result<PlannedExports, Error> {
    let directory = ExportDirectory::new(session);
    let planner = Planner::new(session)?;
    let mut planner = ExportPlanner { planner, settings, directory: &directory, editable };
    let mut exports = Vec::new();
    for subject in subjects {
        let venv = planner.plan_venv(subject).map_err(|error| error.to_failure());
        exports.push(PlannedExport { subject: subject.clone(), venv });
    }
    Ok(PlannedExports { graph: planner.planner.actions, exports })
}

/// Writes an environment whose steps were carried out, unless it is up to date. What the store lost of it is made again first.
pub fn write(
    session: &mut Session,
    export: &PlannedExport,
    results: &Results,
    settings: &ExportSettings,
) -> Result<Placed, Error> {
    let lost = match write_once(session, export, results, settings.format) {
        Err(error @ Error::Session(session::Error::Store(store::Error::Missing(_)))) => error,
        written => return written,
    };
    execute::warn_of_lost_entries(session);
    let PlannedExports { mut graph, exports } = plan(session, std::slice::from_ref(&export.subject), settings)?;
    let Some((export, venv)) = exports.first().and_then(|export| Some((export, export.venv.as_ref().ok()?))) else {
        return Err(lost);
    };
    let steps: Vec<StepId> = [venv.add_restoring(&mut graph)].into_iter().chain(venv.steps()).collect();
    let results = execute::execute(session, graph, &steps, false)?;
    write_once(session, export, &results, settings.format)
}

fn write_once(
    session: &mut Session,
    export: &PlannedExport,
    results: &Results,
    format: ResolveFormat,
) -> Result<Placed, Error> {
    let venv = export.venv.as_ref().expect("the caller passes planned environments");
    let directory = ExportDirectory::new(session);
    let location = directory.location(&export.subject, venv.version());
    let environment = match format {
        ResolveFormat::Symlinked => Environment::InStore(venv.realize(session, results)?.root),
        ResolveFormat::Mutable => Environment::Copy {
            tree: venv.realize_interpreter(session, results)?,
            packages: venv.packages.iter().cloned().collect(),
        },
    };
    let store = session.services.open_store()?;
    let placed = directory.place(&store, &environment, &location)?;
    store.keep_for(&location, &venv.stored_parts(results, format == ResolveFormat::Mutable)?)?;
    directory.link_other_names(&export.subject, venv.version())?;
    Ok(placed)
}

struct ExportPlanner<'e, 's> {
    planner: Planner<'s>,
    settings: &'e ExportSettings,
    directory: &'e ExportDirectory,
    /// Plans the distributions of this repository, where some resolve has them.
    editable: Option<EditablePlanner<'e>>,
}

impl ExportPlanner<'_, '_> {
    fn plan_venv(&mut self, subject: &Subject) -> Result<PlannedVenv, Error> {
        let constraints = self.constraints(subject)?;
        let mut importable = match subject {
            Subject::Tool { tool, .. } => Importable { tool: Some(tool.scope.clone()), ..Importable::default() },
            Subject::Repository | Subject::Resolve(_) => self.whole_lockfile(subject, &constraints)?,
        };
        let installed = match (&mut self.editable, subject) {
            (Some(editable), Subject::Resolve(resolve)) if self.settings.editable_in.contains(resolve) => {
                editable.plan(&mut self.planner, resolve)?
            }
            _ => Installed::default(),
        };
        let is_mutable = self.settings.format == ResolveFormat::Mutable;
        importable.has_pip = is_mutable;
        importable.built = installed.metadata;
        let version = self.planner.host_interpreter(&constraints)?.version;
        let location = self.directory.location(subject, &version);
        let root = self.planner.session.build_root();
        let source_roots = installed.source_roots.iter();
        let placement = Placement {
            location: Some(location.to_string_lossy().into_owned()),
            prompt: match subject {
                Subject::Repository => version,
                subject => format!("{}/{version}", subject.name()),
            },
            script_args: self.settings.script_args(subject.name()).to_owned(),
            has_bytecode: !is_mutable,
            source_roots: source_roots.map(|path| path.to_path(root).to_string_lossy().into_owned()).collect(),
        };
        self.planner.host_venv(&constraints, &importable, &placement)
    }

    fn constraints(&mut self, subject: &Subject) -> Result<Vec<String>, Error> {
        Ok(match subject {
            Subject::Repository => toolchains::default_constraints(self.planner.config()),
            Subject::Resolve(resolve) => toolchains::constraints_of_resolve(self.planner.config(), resolve),
            Subject::Tool { tool, .. } => self.constraints_of_tool(tool)?,
        })
    }

    /// All packages of a resolve, and those of `extra_requirements`.
    fn whole_lockfile(&mut self, subject: &Subject, constraints: &[String]) -> Result<Importable, Error> {
        let resolve = match subject {
            Subject::Resolve(resolve) => Some(resolve.clone()),
            _ => None,
        };
        let wanted = Some(Wanted { resolve, ..Wanted::default() });
        Ok(Importable { wanted, is_whole: true, pinned: self.pin_extra(constraints)?, ..Importable::default() })
    }

    /// The constraints that the section of the tool sets, or else those of the repository, unless the tool supports none of their
    /// interpreters.
    fn constraints_of_tool(&mut self, tool: &Tool) -> Result<Vec<String>, Error> {
        let settings = ToolSettings::parse(self.planner.config(), &tool.scope);
        if !settings.interpreter_constraints.is_empty() {
            return Ok(settings.interpreter_constraints);
        }
        if let Some(resolve) = &settings.install_from_resolve {
            return Ok(toolchains::constraints_of_resolve(self.planner.config(), resolve));
        }
        let default = toolchains::default_constraints(self.planner.config());
        let Some(supported) = &tool.python else { return Ok(default) };
        let version = self.planner.python_version(&default)?.to_string();
        let supported = format!("CPython{supported}");
        let is_supported = Constraints::parse(std::slice::from_ref(&supported))?.allows(&version);
        Ok(if is_supported { default } else { vec![supported] })
    }

    /// Plans the packages that `extra_requirements` asks for. The name under which images find them, if any.
    fn pin_extra(&mut self, constraints: &[String]) -> Result<Option<String>, Error> {
        let mut wanted = BTreeSet::new();
        for text in &self.settings.extra_requirements {
            let fail = |source| requirements::Error::ToolRequirement {
                option: "`[export] extra_requirements`".to_owned(),
                source,
            };
            wanted.insert(requirement::canonical(&requirement::parse(text).map_err(fail)?));
        }
        if wanted.is_empty() {
            return Ok(None);
        }
        self.planner.pin_packages(constraints, EXTRA, None, wanted)?;
        Ok(Some(EXTRA.to_owned()))
    }
}

/// The place of an environment for editors, which need no version.
pub fn stable_path(location: &std::path::Path) -> PathBuf {
    location.with_file_name(directory::CURRENT)
}
