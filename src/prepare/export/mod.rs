//! Plans exported environments: one for each resolve and tool. One that cannot be planned carries the reason and does not stop the
//! others. How they are written to the directory for results is in `directory`, settings for editors are in `ide`.

mod copy;
pub mod directory;
pub mod ide;
pub mod subjects;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::action::{ActionGraph, StepId};
use crate::config::typed::{ExportSettings, PythonSettings, ResolveFormat, ToolSettings};
use crate::engine::executor::Results;
use crate::packaging::requirement;
use crate::plan::requirements::{self, Wanted};
use crate::plan::venv::Placement;
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::export::directory::{Environment, ExportDirectory, Placed};
use crate::prepare::export::subjects::Subject;
use crate::prepare::host_venv::PlannedVenv;
use crate::prepare::images::Importable;
use crate::session::Session;
use crate::session::failure::Failure;
use crate::session::toolchains;
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
    let directory = ExportDirectory::new(session);
    let planner = Planner::new(session)?;
    let mut planner = ExportPlanner { planner, settings, directory: &directory };
    let mut exports = Vec::new();
    for subject in subjects {
        let venv = planner.plan_venv(subject).map_err(|error| error.to_failure());
        exports.push(PlannedExport { subject: subject.clone(), venv });
    }
    Ok(PlannedExports { graph: planner.planner.actions, exports })
}

/// Writes an environment whose steps were carried out, unless it is up to date.
pub fn write(
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
    directory.link_other_names(&export.subject, venv.version())?;
    Ok(placed)
}

struct ExportPlanner<'e, 's> {
    planner: Planner<'s>,
    settings: &'e ExportSettings,
    directory: &'e ExportDirectory,
}

impl ExportPlanner<'_, '_> {
    fn plan_venv(&mut self, subject: &Subject) -> Result<PlannedVenv, Error> {
        let (constraints, mut importable) = match subject {
            Subject::Repository => {
                let constraints = toolchains::default_constraints(self.planner.config());
                (constraints, Importable { wanted: Some(Wanted::default()), is_whole: true, ..Importable::default() })
            }
            Subject::Resolve(resolve) => {
                let wanted = Wanted { resolve: Some(resolve.clone()), ..Wanted::default() };
                let importable = Importable { wanted: Some(wanted), is_whole: true, ..Importable::default() };
                (self.constraints_of_resolve(resolve), importable)
            }
            Subject::Tool { tool, .. } => {
                let importable = Importable { tool: Some(tool.scope.clone()), ..Importable::default() };
                (self.constraints_of_tool(tool)?, importable)
            }
        };
        if !matches!(subject, Subject::Tool { .. }) {
            importable.pinned = self.pin_extra(&constraints)?;
        }
        let is_mutable = self.settings.format == ResolveFormat::Mutable;
        importable.has_pip = is_mutable;
        let version = self.planner.host_interpreter(&constraints)?.version;
        let location = self.directory.location(subject, &version);
        let placement = Placement {
            location: Some(location.to_string_lossy().into_owned()),
            prompt: match subject {
                Subject::Repository => version,
                subject => format!("{}/{version}", subject.name()),
            },
            script_args: self.settings.script_args(subject.name()).to_owned(),
            has_bytecode: !is_mutable,
        };
        self.planner.host_venv(&constraints, &importable, &placement)
    }

    fn constraints_of_resolve(&self, resolve: &str) -> Vec<String> {
        let config = self.planner.config();
        let mut own = PythonSettings::parse(config).resolves_to_interpreter_constraints;
        own.remove(resolve).unwrap_or_else(|| toolchains::default_constraints(config))
    }

    /// The constraints that the section of the tool sets, or else those of the repository, unless the tool supports none of their
    /// interpreters.
    fn constraints_of_tool(&mut self, tool: &Tool) -> Result<Vec<String>, Error> {
        let settings = ToolSettings::parse(self.planner.config(), &tool.scope);
        if !settings.interpreter_constraints.is_empty() {
            return Ok(settings.interpreter_constraints);
        }
        if let Some(resolve) = &settings.install_from_resolve {
            return Ok(self.constraints_of_resolve(resolve));
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
