//! The packages and files that a project of the repository sees: those that it declares in a lockfile that has projects (`uv.lock`).
//! Which packages these are is decided in `packaging::resolve`.

use std::collections::BTreeSet;

use uv_normalize::PackageName;

use crate::base::RelPath;
use crate::config::typed::{PythonSettings, ToolSettings};
use crate::inference::closure::Closure;
use crate::packaging::lockfile::projects::LockedProject;
use crate::packaging::requirement;
use crate::packaging::resolve::{self, SelectedPackage};
use crate::plan::project_requirements;
use crate::plan::requirements::Wanted;
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::session::memo::memoized;
use crate::tools::{self, Tool};

/// What a project sees of the repository.
#[derive(Debug, Default)]
pub(super) struct ProjectView {
    /// The directories of the projects that it does not see.
    hidden: BTreeSet<RelPath>,
    /// The packages and projects that it may import.
    packages: BTreeSet<PackageName>,
}

impl ProjectView {
    /// The project that hides a path from the project in `dir`. A hidden project may contain one that is not.
    fn hiding(&self, dir: &RelPath, path: &RelPath) -> Option<RelPath> {
        path.ancestors().find(|above| above == dir || self.hidden.contains(above)).filter(|above| above != dir)
    }
}

impl Planner<'_> {
    /// The directory of the project that a file belongs to, if `[python] packages_by_project` is set and the lockfile has the project.
    pub(super) fn locked_project(&mut self, wanted: &Wanted, file: &RelPath) -> Result<Option<RelPath>, Error> {
        if !PythonSettings::parse(self.config()).packages_by_project {
            return Ok(None);
        }
        let Some(resolve) = self.resolve_of(wanted) else { return Ok(None) };
        let lock = self.locks.load_resolve(&resolve, "`[python] packages_by_project`")?;
        Ok(lock.projects.owner(file).map(|project| project.dir.clone()))
    }

    /// Those of the files that belong to projects which the project in `dir` does not see. The root sees all.
    pub(super) fn hidden_files(
        &mut self,
        wanted: &Wanted,
        dir: &RelPath,
        files: &[&RelPath],
    ) -> Result<Vec<RelPath>, Error> {
        let Some(view) = self.project_view(wanted, dir)? else { return Ok(Vec::new()) };
        Ok(files.iter().filter(|file| view.hiding(dir, file).is_some()).map(|file| (*file).clone()).collect())
    }

    /// Removes what the project in `dir` does not see from a closure and from what that requires. Returns the names of what was
    /// removed. The root sees all.
    pub(super) fn hide_undeclared(
        &mut self,
        wanted: &mut Wanted,
        dir: &RelPath,
        closure: &mut Closure<'_>,
    ) -> Result<BTreeSet<String>, Error> {
        let Some(view) = self.project_view(wanted, dir)? else { return Ok(BTreeSet::new()) };
        let mut removed = BTreeSet::new();
        wanted.requirements.retain(|text| match requirement::parse(text) {
            Ok(required) if !view.packages.contains(&required.name) => {
                removed.insert(required.name.to_string());
                false
            }
            _ => true,
        });
        closure.files.retain(|file| match view.hiding(dir, file) {
            Some(project) => {
                // Data files are there without an import.
                removed.extend((file.extension() == Some("py")).then(|| project.to_string()));
                false
            }
            None => true,
        });
        let inside = |root: &RelPath| root.push("_").unwrap_or_default();
        closure.source_roots.retain(|root| view.hiding(dir, &inside(root)).is_none());
        Ok(removed)
    }

    /// Says that code of the project in `dir` misses these packages and projects. The name may be in a string, or the import optional.
    pub(super) fn note_undeclared(&mut self, dir: &RelPath, names: &BTreeSet<String>) {
        if names.is_empty() {
            return;
        }
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        let text = format!("the code of `{dir}` refers to {names}, which neither it nor its dependencies declare");
        let hint = format!(
            "if it imports that, add it to the dependencies in `{dir}/pyproject.toml`; with `packages_by_project = false` in the section \
             `[python]` of `waders.toml`, all code sees all packages"
        );
        if self.warned.insert(text.clone()) {
            self.session.ui.note(&text, Some(&hint));
        }
    }

    /// What the project in `dir` sees; `None` if it sees everything.
    fn project_view(&mut self, wanted: &Wanted, dir: &RelPath) -> Result<Option<&ProjectView>, Error> {
        let Some(resolve) = self.resolve_of(wanted).filter(|_| !dir.is_root()) else { return Ok(None) };
        if !self.project_views.contains_key(dir) {
            let lock = self.locks.load_resolve(&resolve, "a project")?;
            let packages =
                lock.projects.in_dir(dir).map(|project| resolve::visible(&lock, project)).unwrap_or_default();
            let is_seen = |other: &LockedProject| {
                other.dir == *dir
                    || other.dir.is_root()
                    || other.name.as_ref().is_none_or(|name| packages.contains(name))
            };
            let hidden = lock.projects.projects.iter().filter(|other| !is_seen(other)).map(|other| other.dir.clone());
            let hidden = hidden.collect();
            self.project_views.insert(dir.clone(), ProjectView { hidden, packages });
        }
        Ok(self.project_views.get(dir))
    }

    /// Whether the packages of a tool come from a resolve of the repository, all of them.
    pub(super) fn is_of_resolve(&self, tool: &Tool) -> bool {
        let settings = ToolSettings::parse(self.config(), &tool.scope);
        settings.install_from_resolve.is_some() && settings.requirements.is_empty()
    }

    /// The packages that the project in `dir` sees, with `tool` if that comes from the same lockfile.
    pub(super) fn project_packages(
        &mut self,
        constraints: &[String],
        wanted: &Wanted,
        dir: &RelPath,
        tool: Option<&str>,
    ) -> Result<Vec<SelectedPackage>, Error> {
        let Some(resolve) = self.resolve_of(wanted) else { return Ok(Vec::new()) };
        let environment = self.environment(constraints)?;
        let tool = tool.and_then(tools::named).filter(|tool| self.is_of_resolve(tool));
        let tool = tool.and_then(|tool| requirement::parse(tool.package()).ok());
        let tool = tool.as_ref();
        let question =
            project_requirements::project_packages_key(&self.locks, &resolve, dir, tool, wanted, &environment);
        let store = self.session.services.open_store()?;
        let locks = &mut self.locks;
        let select = || {
            let selected =
                project_requirements::select_project_packages(locks, &resolve, dir, tool, wanted, &environment);
            Ok::<_, Error>(selected?)
        };
        let locked = memoized(&store, question, select)?;
        locked.left_out.iter().for_each(|reason| self.warn_left_out(reason));
        Ok(self.without_unreachable(locked.packages, &locked.optional))
    }

    fn resolve_of(&self, wanted: &Wanted) -> Option<String> {
        let settings = PythonSettings::parse(self.config());
        wanted.resolve.clone().or_else(|| settings.enable_resolves.then_some(settings.default_resolve))
    }
}
