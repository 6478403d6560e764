//! The metadata of the projects whose code a test or program uses: a directory with a pyproject.toml that names a project counts as
//! installed, as after an editable installation, so that `importlib.metadata` and plugins work.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use uv_normalize::PackageName;

use crate::action::{Derive, Step, StepId};
use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::packaging::project::Project;
use crate::packaging::project_version::VersionSource;
use crate::packaging::requirement;
use crate::plan::requirements::Wanted;
use crate::prepare::{Error, Planner};
use crate::session::Session;

/// The projects of a repository, by directory.
pub(super) struct Projects {
    projects: BTreeMap<RelPath, Project>,
    /// The steps that make the metadata of projects, by directory.
    steps: BTreeMap<RelPath, StepId>,
}

impl Projects {
    /// Reads every pyproject.toml of the repository.
    pub(super) fn find(session: &mut Session) -> Result<Projects, Error> {
        let graph = session.load_graph()?;
        let globs = Globs::compile(["**/pyproject.toml"]).expect("a constant");
        let read = |file: &RelPath| session.context.tracker.read_to_string(&file.to_path(session.build_root())).ok();
        let nearest_tag = OnceCell::new();
        let tag = || nearest_tag.get_or_init(|| session.nearest_tag()).clone();
        let project = |file: RelPath| {
            let dir = file.parent()?;
            let find_version = |source: &VersionSource| source.find(&|path: &str| read(&dir.resolve(path).ok()?), &tag);
            let project = Project::parse(&read(&file)?, &find_version)?;
            Some((dir, project))
        };
        let projects = graph.files().matching(&RelPath::root(), &globs).into_iter().filter_map(project).collect();
        Ok(Projects { projects, steps: BTreeMap::new() })
    }

    /// The steps that make the metadata of the projects that contain these files, which are sorted, by name. A project that the test also
    /// gets as a package is left out.
    pub(super) fn metadata(
        &mut self,
        planner: &mut Planner<'_>,
        files: &[&RelPath],
        wanted: &Wanted,
        packaged: &BTreeSet<RelPath>,
    ) -> BTreeMap<PackageName, StepId> {
        let used = self.used(files, wanted, packaged);
        let (projects, steps) = (&self.projects, &mut self.steps);
        let step = |dir: RelPath| {
            let project = &projects[&dir];
            (project.name.clone(), *steps.entry(dir).or_insert_with(|| planner.actions.add(step(project))))
        };
        used.into_iter().map(step).collect()
    }

    /// The metadata of the projects that contain these files, as `metadata` chooses them.
    pub(super) fn of_files(&self, files: &[&RelPath], wanted: &Wanted) -> Vec<Project> {
        let used = self.used(files, wanted, &BTreeSet::new());
        used.iter().map(|dir| self.projects[dir].clone()).collect()
    }

    /// The directories of the projects that contain these files.
    fn used(&self, files: &[&RelPath], wanted: &Wanted, packaged: &BTreeSet<RelPath>) -> Vec<RelPath> {
        if self.projects.is_empty() {
            return Vec::new();
        }
        let required = wanted.requirements.iter().filter_map(|text| Some(requirement::parse(text).ok()?.name));
        let required: BTreeSet<_> = required.collect();
        let is_used = |dir: &RelPath| {
            // Sorted, so that the files below a directory are found without looking at the others.
            let start = files.partition_point(|file| *file < dir);
            let below = files[start..].iter().take_while(|file| file.starts_with(dir));
            let own = |file: &&&RelPath| file.extension() == Some("py") && !packaged.contains(**file);
            let nearest = |file: &&RelPath| file.ancestors().find(|above| self.projects.contains_key(above));
            below.filter(own).any(|file| nearest(file).as_ref() == Some(dir))
        };
        let found = self.projects.iter().filter(|(dir, project)| is_used(dir) && !required.contains(&project.name));
        found.map(|(dir, _)| dir.clone()).collect()
    }
}

/// The step that makes the metadata of a project.
pub(super) fn step(project: &Project) -> Step {
    Step::Derive(Derive {
        label: format!("metadata of {}", project.name),
        recipe: "metadata-1",
        parameters: vec![project.dist_info.clone(), project.metadata.clone(), project.entry_points.clone()],
        parts: Vec::new(),
    })
}
