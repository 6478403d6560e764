//! The files that tests may read in addition to their dependencies: those that `[test] extra_inputs` names, of the whole repository or of
//! the project that a test belongs to.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::typed::TestSettings;
use crate::prepare::Error;
use crate::session::Session;

/// The files by project; those of the whole repository belong to its root.
pub(super) struct ExtraInputs {
    by_project: BTreeMap<RelPath, Vec<RelPath>>,
    /// The directories with a project, if a test may read only the files of its own.
    projects: BTreeSet<RelPath>,
}

impl ExtraInputs {
    /// Finds the files.
    pub(super) fn find(session: &mut Session) -> Result<ExtraInputs, Error> {
        let graph = session.load_graph()?;
        let settings = TestSettings::parse(session.config());
        let globs = Globs::compile(settings.extra_inputs.iter().map(String::as_str)).map_err(Error::ExtraInputs)?;
        let marks = Globs::compile(["**/pyproject.toml", "**/setup.py"]).expect("constants are valid");
        let projects = match settings.extra_inputs_by_project {
            true => graph.files().matching(&RelPath::root(), &marks).iter().filter_map(RelPath::parent).collect(),
            false => BTreeSet::new(),
        };
        let mut found = ExtraInputs { by_project: BTreeMap::new(), projects };
        for file in graph.files().matching(&RelPath::root(), &globs) {
            let project = found.project_of(&file);
            found.by_project.entry(project).or_default().push(file);
        }
        Ok(found)
    }

    /// The files that these tests may read, which are processed together.
    pub(super) fn of<'f>(&'f self, tests: &'f [RelPath]) -> impl Iterator<Item = &'f RelPath> {
        let projects: BTreeSet<RelPath> = tests.iter().map(|test| self.project_of(test)).collect();
        projects.into_iter().filter_map(|project| self.by_project.get(&project)).flatten()
    }

    /// The nearest project above a file.
    fn project_of(&self, file: &RelPath) -> RelPath {
        file.ancestors().find(|above| self.projects.contains(above)).unwrap_or_default()
    }
}
