//! The packages that a project of the repository sees: those that it declares in a lockfile that has projects (`uv.lock`). Which ones
//! these are is decided in `packaging::resolve`.

use crate::base::RelPath;
use crate::config::typed::{PythonSettings, TestSettings, ToolSettings};
use crate::packaging::lockfile::projects::LockedProject;
use crate::packaging::requirement;
use crate::packaging::resolve::{self, SelectedPackage};
use crate::plan::project_requirements;
use crate::plan::requirements::Wanted;
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::session::memo::memoized;
use crate::tools::{self, Tool};

impl Planner<'_> {
    /// The directory of the project that a file belongs to, if `[test] packages_by_project` is set and the lockfile has the project.
    pub(super) fn locked_project(&mut self, wanted: &Wanted, file: &RelPath) -> Result<Option<RelPath>, Error> {
        if !TestSettings::parse(self.config()).packages_by_project {
            return Ok(None);
        }
        let Some(resolve) = self.resolve_of(wanted) else { return Ok(None) };
        let lock = self.locks.load_resolve(&resolve, "`[test] packages_by_project`")?;
        Ok(lock.projects.owner(file).map(|project| project.dir.clone()))
    }

    /// Those of the files that belong to projects which the project in `dir` does not see. The root sees all.
    pub(super) fn hidden_files(
        &mut self,
        wanted: &Wanted,
        dir: &RelPath,
        files: &[&RelPath],
    ) -> Result<Vec<RelPath>, Error> {
        let Some(resolve) = self.resolve_of(wanted).filter(|_| !dir.is_root()) else { return Ok(Vec::new()) };
        if !self.hidden_projects.contains_key(dir) {
            let lock = self.locks.load_resolve(&resolve, "a project")?;
            let seen = lock.projects.in_dir(dir).map(|project| resolve::visible(&lock, project)).unwrap_or_default();
            let is_seen = |other: &LockedProject| {
                other.dir == *dir || other.dir.is_root() || other.name.as_ref().is_none_or(|name| seen.contains(name))
            };
            let hidden = lock.projects.projects.iter().filter(|other| !is_seen(other)).map(|other| other.dir.clone());
            self.hidden_projects.insert(dir.clone(), hidden.collect());
        }
        let hidden = &self.hidden_projects[dir];
        // A hidden project may contain one that is not.
        let nearest = |file: &RelPath| file.ancestors().find(|above| above == dir || hidden.contains(above));
        let is_hidden = |file: &&&RelPath| nearest(file).is_some_and(|above| above != *dir);
        Ok(files.iter().filter(is_hidden).map(|file| (*file).clone()).collect())
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
