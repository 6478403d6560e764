//! The files that tests may read in addition to their dependencies: those that `[test] extra_inputs` names, of the whole repository or of
//! the project that a test belongs to and of those that this one requires. Modules of projects can be imported, as if the projects were
//! installed: by names that are computed, by packages, and in processes that a test starts.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::typed::TestSettings;
use crate::inference::SourceRoots;
use crate::prepare::Error;
use crate::session::Session;
use crate::targets::workspace::{Workspace, is_below_tests};
use crate::targets::{Address, kind};

/// The projects of some files, by index.
type Owners = BTreeSet<Option<usize>>;

/// The files by project.
pub(super) struct ExtraInputs {
    /// By the index of the project; those of no project have none.
    by_project: BTreeMap<Option<usize>, Vec<RelPath>>,
    /// The projects, if a test may read only the files of its own; empty if it may read all.
    projects: Workspace,
    /// The projects that each project requires, by index, as the files of the projects say.
    required: Vec<BTreeSet<usize>>,
    /// The projects within each project that have no tests, by index: examples and the like.
    parts: Vec<BTreeSet<usize>>,
    roots: Arc<SourceRoots>,
    /// The targets of files with versions, by the index of the project.
    version_files: BTreeMap<Option<usize>, Vec<Address>>,
    /// By the owners of the tests and what they declare.
    known: BTreeMap<(Owners, Option<Vec<RelPath>>), Rc<ExtraFiles>>,
}

/// The files that some tests may read.
#[derive(Default)]
pub(super) struct ExtraFiles {
    /// All of them.
    pub files: BTreeSet<RelPath>,
    /// Those of them that can be imported.
    pub modules: BTreeSet<RelPath>,
    /// The directories from which the modules are imported.
    pub source_roots: BTreeSet<RelPath>,
    /// The targets of files that the modules import and that do not exist in the repository.
    pub generated: BTreeSet<Address>,
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
        let tests = || graph.targets().filter(|target| target.kind == kind::PYTHON_TEST);
        // Files with tests that do not run are data of others.
        let running = tests().filter(|test| settings.extra_inputs_by_project && test.flag("skip_tests") != Some(true));
        let running: BTreeSet<&RelPath> = running.flat_map(|test| &test.sources).collect();
        for file in graph.files().matching(&RelPath::root(), &globs).into_iter().filter(|file| !running.contains(file))
        {
            by_project.entry(projects.owner(&file)).or_default().push(file);
        }
        let tested: BTreeSet<usize> =
            tests().filter_map(|test| test.sources.first()).filter_map(|file| projects.owner(file)).collect();
        let is_part = |other: usize, project: usize| {
            let dir = |project: usize| &projects.members()[project].dir;
            other != project && !tested.contains(&other) && dir(other).starts_with(dir(project))
        };
        let all = 0..projects.members().len();
        let parts = all.clone().map(|project| all.clone().filter(|other| is_part(*other, project)).collect()).collect();
        let mut version_files: BTreeMap<Option<usize>, Vec<Address>> = BTreeMap::new();
        for target in graph.targets().filter(|target| target.kind == kind::VCS_VERSION) {
            version_files.entry(projects.in_dir(&target.address.dir)).or_default().push(target.address.clone());
        }
        let (required, roots) = (projects.required(), session.find_source_roots()?);
        Ok(ExtraInputs { by_project, required, parts, projects, roots, version_files, known: BTreeMap::new() })
    }

    /// The files that these tests may read, which are processed together: those of their projects, and of what these require. `declared`
    /// has the directories of the projects that the tests' project requires, if the lockfile says it.
    pub(super) fn of(&mut self, tests: &[RelPath], declared: Option<Vec<RelPath>>) -> Rc<ExtraFiles> {
        let owners: Owners = tests.iter().map(|test| self.projects.owner(test)).collect();
        let key = (owners, declared);
        if !self.known.contains_key(&key) {
            let files = Rc::new(self.find_files(&key.0, key.1.as_deref()));
            self.known.insert(key.clone(), files);
        }
        self.known[&key].clone()
    }

    fn find_files(&self, owners: &Owners, declared: Option<&[RelPath]>) -> ExtraFiles {
        let mut found = ExtraFiles::default();
        let named: Owners = owners.iter().flatten().flat_map(|own| &self.parts[*own]).map(|part| Some(*part)).collect();
        let mut importable = owners.clone();
        match declared {
            Some(dirs) => importable.extend(dirs.iter().map(|dir| self.projects.in_dir(dir)).filter(Option::is_some)),
            None => importable.extend(owners.iter().flatten().flat_map(|own| &self.required[*own]).copied().map(Some)),
        }
        for project in importable.union(&named) {
            found.files.extend(self.files(*project).cloned());
        }
        for project in importable.iter().filter(|_| !self.projects.members().is_empty()) {
            let modules: BTreeSet<&RelPath> =
                self.files(*project).filter(|file| matches!(file.extension(), Some("py" | "pyi"))).collect();
            let dir = project.map(|project| self.projects.members()[project].dir.clone()).unwrap_or_default();
            if !modules.is_empty() {
                found.generated.extend(self.version_files.get(project).into_iter().flatten().cloned());
            }
            found.source_roots.extend(import_roots(&dir, &modules, &self.roots));
            found.modules.extend(modules.into_iter().cloned());
        }
        found
    }

    fn files(&self, project: Option<usize>) -> impl Iterator<Item = &RelPath> {
        self.by_project.get(&project).into_iter().flatten()
    }
}

/// The directories from which the modules of the project in `dir` are imported after its installation, as far as one can tell: not those of
/// tests, and `dir` itself only if it contains packages or no other directory is one, since a `docs/conf.py` is not for import.
fn import_roots(dir: &RelPath, modules: &BTreeSet<&RelPath>, roots: &SourceRoots) -> BTreeSet<RelPath> {
    let is_test = |file: &RelPath| file.strip_prefix(dir).is_some_and(|below| is_below_tests(&below));
    let in_package = |file: &RelPath| {
        file.parent().and_then(|parent| parent.push("__init__.py").ok()).is_some_and(|init| modules.contains(&init))
    };
    let (mut own, mut nested, mut has_package) = (BTreeSet::new(), BTreeSet::new(), false);
    for file in modules.iter().filter(|file| !is_test(file)) {
        match roots.find_for_file(file) {
            Some(root) if root != *dir && root.starts_with(dir) => nested.insert(root),
            Some(root) => {
                has_package |= in_package(file);
                own.insert(root)
            }
            None => false,
        };
    }
    if has_package || nested.is_empty() {
        nested.extend(own);
    }
    nested
}
