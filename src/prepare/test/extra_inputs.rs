//! The files that tests may read in addition to their dependencies: those that `[test] extra_inputs` names, of the whole repository or of
//! the project that a test belongs to.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::typed::TestSettings;
use crate::prepare::Error;
use crate::session::Session;
use crate::targets::kind;
use crate::targets::workspace::Workspace;

/// The files by project.
pub(super) struct ExtraInputs {
    /// By the index of the project; those of no project have none.
    by_project: BTreeMap<Option<usize>, Vec<RelPath>>,
    /// The projects, if a test may read only the files of its own; empty if it may read all.
    projects: Workspace,
    /// What each project requires of the others, by index, and the projects within it that have no tests.
    required: Vec<BTreeSet<usize>>,
}

impl ExtraInputs {
    /// Finds the files.
    pub(super) fn find(session: &mut Session) -> Result<ExtraInputs, Error> {
        let graph = session.load_graph()?;
        let settings = TestSettings::parse(session.config());
        let globs = Globs::compile(settings.extra_inputs.iter().map(String::as_str)).map_err(Error::ExtraInputs)?;
        let read = |file: &RelPath| session.context.tracker.read_to_string(&file.to_path(session.build_root())).ok();
        let projects = match settings.extra_inputs_by_project {
            true => Workspace::all_projects(graph.files(), &read),
            false => Workspace::default(),
        };
        let mut by_project: BTreeMap<Option<usize>, Vec<RelPath>> = BTreeMap::new();
        for file in graph.files().matching(&RelPath::root(), &globs) {
            by_project.entry(projects.owner(&file)).or_default().push(file);
        }
        let tests = graph.targets().filter(|target| target.kind == kind::PYTHON_TEST);
        let tested: BTreeSet<usize> =
            tests.filter_map(|test| test.sources.first()).filter_map(|file| projects.owner(file)).collect();
        // Examples and the like: the tests that read them are those of the project around them.
        let mut required = projects.required();
        for (project, required) in required.iter_mut().enumerate() {
            let dir = |project: usize| &projects.members()[project].dir;
            let is_part = |other: &usize| !tested.contains(other) && dir(*other).starts_with(dir(project));
            required.extend((0..projects.members().len()).filter(|other| *other != project).filter(is_part));
        }
        Ok(ExtraInputs { by_project, required, projects })
    }

    /// The files that these tests may read, which are processed together: those of their projects, and of what these require. Modules of
    /// other projects count only where they are imported, unless the project is within the one of the test.
    pub(super) fn of<'f>(&'f self, tests: &[RelPath]) -> BTreeSet<&'f RelPath> {
        let owners: BTreeSet<Option<usize>> = tests.iter().map(|test| self.projects.owner(test)).collect();
        let mut files: BTreeSet<&RelPath> = owners.iter().flat_map(|owner| self.files(*owner)).collect();
        for own in owners.into_iter().flatten() {
            let dir = |project: usize| &self.projects.members()[project].dir;
            for required in &self.required[own] {
                let is_within = dir(*required).starts_with(dir(own));
                let is_module = |file: &RelPath| matches!(file.extension(), Some("py" | "pyi"));
                files.extend(self.files(Some(*required)).filter(|file| is_within || !is_module(file)));
            }
        }
        files
    }

    fn files(&self, project: Option<usize>) -> impl Iterator<Item = &RelPath> {
        self.by_project.get(&project).into_iter().flatten()
    }
}
