//! The packages and files that a project of the repository sees: those that it declares in a lockfile that has projects (`uv.lock`).
//! Which packages these are is decided in `packaging::resolve`.

use std::collections::{BTreeMap, BTreeSet};

use uv_normalize::PackageName;

use crate::base::RelPath;
use crate::config::typed::{PythonSettings, ToolSettings};
use crate::inference::closure::{Closure, Closures, Follow};
use crate::packaging::lockfile::projects::LockedProject;
use crate::packaging::requirement;
use crate::packaging::resolve::{self, SelectedPackage};
use crate::plan::requirements::Wanted;
use crate::plan::{project_requirements, requirements};
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::calls::{FileTargets, PartitionKey};
use crate::session::memo::memoized;
use crate::tools::{self, Tool};

/// Files by the directory of the project whose declarations limit what is seen, if any.
pub(super) type ByProject = BTreeMap<Option<RelPath>, FileTargets>;

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

    /// Removes what the project in `dir` does not see from a closure and from what that requires. Returns the names of what was removed.
    pub(super) fn hide_undeclared(
        &self,
        wanted: &mut Wanted,
        dir: &RelPath,
        closure: &mut Closure<'_>,
    ) -> BTreeSet<String> {
        let mut removed = BTreeSet::new();
        wanted.requirements.retain(|text| match requirement::parse(text) {
            Ok(required) if !self.packages.contains(&required.name) => {
                removed.insert(required.name.to_string());
                false
            }
            _ => true,
        });
        closure.files.retain(|file| match self.hiding(dir, file) {
            Some(project) => {
                // Data files are there without an import.
                removed.extend((file.extension() == Some("py")).then(|| project.to_string()));
                false
            }
            None => true,
        });
        let inside = |root: &RelPath| root.push("_").unwrap_or_default();
        closure.source_roots.retain(|root| self.hiding(dir, &inside(root)).is_none());
        removed
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
        let view = self.project_view(wanted, dir)?;
        Ok(view.map(|view| view.hide_undeclared(wanted, dir, closure)).unwrap_or_default())
    }

    /// The files of a partition by project: under `None` those of projects that declare all that their code needs, which one process
    /// reads together; and those of each other project, whose process does not see what is not declared.
    pub(super) fn group_by_project(
        &mut self,
        key: &PartitionKey,
        targets: &FileTargets,
        closures: &Closures<'_>,
    ) -> Result<ByProject, Error> {
        let resolve = key.resolve.clone().filter(|_| PythonSettings::parse(self.config()).enable_resolves);
        let wanted = Wanted { resolve, ..Wanted::default() };
        let mut by_dir = ByProject::new();
        for (file, addresses) in targets {
            let dir = self.locked_project(&wanted, file)?.filter(|dir| !dir.is_root());
            by_dir.entry(dir).or_default().insert(file.clone(), addresses.clone());
        }
        let graph = self.session.load_graph()?;
        let mut grouped = ByProject::new();
        for (mut dir, targets) in by_dir {
            if let Some(project) = &dir {
                let mut closure = closures.compute(targets.values().flatten(), Follow::All);
                let mut wanted = requirements::collect(&graph, closure.requirements.iter().copied(), self.config())?;
                let undeclared = self.hide_undeclared(&mut wanted, project, &mut closure)?;
                dir = dir.filter(|_| !undeclared.is_empty());
            }
            grouped.entry(dir).or_default().extend(targets);
        }
        Ok(grouped)
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

    /// The directories of the projects that the one in `dir` declares, directly and through other projects and packages, whether or not
    /// code imports them; `None` if the lockfile does not have the project.
    pub(super) fn declared_projects(&mut self, wanted: &Wanted, dir: &RelPath) -> Result<Option<Vec<RelPath>>, Error> {
        let Some(resolve) = self.resolve_of(wanted) else { return Ok(None) };
        if !self.declared_projects.contains_key(dir) {
            let lock = self.locks.load_resolve(&resolve, "a project")?;
            let declared = lock.projects.in_dir(dir).map(|project| {
                let names = resolve::declared(&lock, project);
                let projects = lock.projects.projects.iter();
                let declared = projects.filter(|other| other.name.as_ref().is_some_and(|name| names.contains(name)));
                declared.map(|other| other.dir.clone()).collect()
            });
            self.declared_projects.insert(dir.clone(), declared);
        }
        Ok(self.declared_projects[dir].clone())
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
