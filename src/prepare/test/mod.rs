//! Plans tests: a pytest process for each test file or batch of test files. A test that cannot be planned carries the reason
//! and does not stop the others. Which tests are selected is decided in `goals::test`.

mod batches;
pub mod coverage;
mod extra_inputs;
mod packages;
mod process_settings;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::action::{ActionGraph, Source, StepId};
use crate::base::{Digest, RelPath};
use crate::config::typed::{PytestSettings, TestSettings};
use crate::inference;
use crate::inference::closure::{Closure, Closures, Follow};
use crate::plan::config_files::{self, ConfigFiles};
use crate::plan::requirements;
use crate::plan::test_run::{self, PytestOptions, TestFiles};
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::images::Importable;
use crate::prepare::package::{self, PackagePlanner};
use crate::prepare::projects::Projects;
use crate::prepare::test::batches::{TestBatch, batches};
use crate::prepare::test::coverage::Coverage;
use crate::prepare::test::extra_inputs::ExtraInputs;
use crate::prepare::test::process_settings::ProcessSettings;
use crate::session::failure::Failure;
use crate::session::sources::Sources;
use crate::session::{Session, selection};
use crate::targets::{Address, Target};
use crate::tools::{self, Tool};

/// The processes of all tests, planned.
pub struct PlannedTests {
    /// The steps of all processes and of what they need.
    pub graph: ActionGraph,
    /// In the order given.
    pub tests: Vec<PlannedTest>,
    /// What coverage reports need; `None` if coverage is not measured.
    pub coverage: Option<Coverage>,
}

/// One process, of one test file or of a batch.
pub struct PlannedTest {
    /// The addresses of the targets.
    pub names: Vec<String>,
    /// The file of each target, in the same order.
    pub files: Vec<String>,
    /// The tree of its inputs; `None` if it could not be planned, or was not planned in this run.
    pub sources: Option<Digest>,
    /// The timeout of the process; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Whether pytest's exit code for "no tests were collected" counts as success.
    pub empty_is_fine: bool,
    /// The step, or why it could not be planned.
    pub step: Result<StepId, Failure>,
}

/// Plans these tests, and what coverage reports need.
pub fn plan(session: &mut Session, tests: &[Address]) -> Result<PlannedTests, Error> {
    let graph = session.load_graph()?;
    let mut dependencies = session.infer_for(&tests.iter().cloned().collect())?;
    if packages::are_needed(&graph, &dependencies, tests) {
        dependencies = session.infer_for(&package::distribution::candidates(&graph, tests))?;
    }
    let settings = inference::InferenceSettings::from_config(session.config())?;
    let roots = session.find_source_roots()?;
    let closures = Closures::new(&graph, &dependencies, &settings, &roots);
    session.report_inference(&dependencies, &tests.iter().cloned().chain(dependencies.transitive(tests)).collect())?;

    let batches = batches(session, &graph, tests);
    let mut planner = TestPlanner {
        settings: TestSettings::parse(session.config()),
        options: pytest_options(session),
        extra_inputs: ExtraInputs::find(session)?,
        sources: session.services.open_sources()?,
        pytest: tools::named("pytest").expect("pytest is described"),
        config_files: ConfigFiles::new(session.build_root(), graph.files(), session.context.tracker.clone()),
        measured_files: BTreeSet::new(),
        measured_trees: BTreeSet::new(),
        measured_with: None,
        named_tests: selection::named_tests(session)?,
        projects: Projects::find(session)?,
        packages: PackagePlanner::new(&graph, &dependencies, &closures, &roots),
        planner: Planner::new(session)?,
    };
    let mut planned = Vec::new();
    for batch in batches {
        planned.push(planner.plan_batch(batch, &closures)?);
    }
    let coverage = match planner.options.coverage {
        Some(_) => planner.plan_coverage()?,
        None => None,
    };
    planner.sources.save()?;
    Ok(PlannedTests { graph: planner.planner.actions, tests: planned, coverage })
}

struct TestPlanner<'g, 's> {
    planner: Planner<'s>,
    settings: TestSettings,
    options: PytestOptions,
    extra_inputs: ExtraInputs,
    sources: Arc<Sources>,
    pytest: Tool,
    config_files: ConfigFiles<'g>,
    /// The files of all tests if coverage is measured, otherwise empty.
    measured_files: BTreeSet<RelPath>,
    /// The same for generated files.
    measured_trees: BTreeSet<Source>,
    /// The interpreter constraints and packages of a process that measures coverage.
    measured_with: Option<(Vec<String>, Importable)>,
    /// The single tests that run, by file.
    named_tests: BTreeMap<RelPath, Vec<String>>,
    projects: Projects,
    /// Packages that tests need.
    packages: PackagePlanner<'g>,
}

impl TestPlanner<'_, '_> {
    fn plan_batch(&mut self, batch: TestBatch<'_>, closures: &Closures<'_>) -> Result<PlannedTest, Error> {
        let addresses: Vec<Address> = batch.targets.iter().map(|target| target.address.clone()).collect();
        let timeout = total_timeout(&self.settings, &batch.targets);
        let closure = closures.compute(&addresses, Follow::All);
        let files = batch.targets.iter().flat_map(|target| target.sources.first()).map(ToString::to_string).collect();
        let (step, sources) = match self.plan_process(batch, timeout, &closure) {
            Ok((step, sources)) => (Ok(step), Some(sources)),
            // A missing plugin concerns all tests.
            Err(error @ Error::NoPlugin { .. }) => return Err(error),
            Err(error) => (Err(error.to_failure()), None),
        };
        let empty_is_fine = self.options.empty_is_fine;
        let names = addresses.iter().map(ToString::to_string).collect();
        Ok(PlannedTest { names, files, sources, timeout, empty_is_fine, step })
    }

    /// The step of the process and the tree of its inputs.
    fn plan_process(
        &mut self,
        batch: TestBatch<'_>,
        timeout: Option<Duration>,
        closure: &Closure<'_>,
    ) -> Result<(StepId, Digest), Error> {
        let settings = batch.settings?;
        let files = batch
            .targets
            .iter()
            .map(|target| target.sources.first().cloned().ok_or_else(|| Error::NoSource(target.address.clone())));
        let files = files.collect::<Result<Vec<RelPath>, Error>>()?;
        let graph = self.planner.session.load_graph()?;
        let wanted = requirements::collect(&graph, closure.requirements.iter().copied(), self.planner.config())?;
        let mut packages = self.needed_packages(&batch.targets, closure)?;
        let project = match files.first() {
            Some(file) => self.planner.locked_project(&wanted, file)?,
            None => None,
        };
        let mut declared = None;
        if let Some(dir) = &project {
            packages.provided.extend(self.planner.hidden_files(&wanted, dir, &closure.files)?);
            declared = self.planner.declared_projects(&wanted, dir)?;
        }
        let extra = self.extra_inputs.of(&files, declared);
        let code = with_modules(&closure.files, &extra.modules);
        let metadata = self.projects.metadata(&mut self.planner, &code, &wanted, &packages.provided);
        packages.installed.extend(metadata.values());
        let importable = Importable {
            tool: Some(self.pytest.scope.clone()),
            wanted: Some(wanted),
            project,
            built: packages.installed,
            replaced: metadata.into_keys().collect(),
            ..Importable::default()
        };
        let mut images = self.planner.images_of(&settings.constraints, importable.clone())?;
        // What the tests import by name comes first.
        let imported = closure.source_roots.iter().copied();
        let others = extra.source_roots.iter().filter(|root| closure.source_roots.binary_search(root).is_err());
        let roots: Vec<RelPath> = imported.chain(others).cloned().collect();
        self.planner.mount_source_roots(&mut images, &roots)?;
        let workers = settings.workers.unwrap_or_else(|| default_workers(self.planner.session, &files));
        self.require_plugins(&settings, workers, &importable)?;
        let addresses: Vec<String> = batch.targets.iter().map(|target| target.address.to_string()).collect();
        let sources = self.tree(closure, &files, &extra.files, &packages.provided)?;
        let generated: BTreeSet<&Address> = closure.generated.iter().copied().chain(&extra.generated).collect();
        let generated = self.planner.generated_trees(generated, |_| true)?;
        if self.options.coverage.is_some() {
            self.measured_trees.extend(&generated);
        }
        let inputs = self.planner.with_packages(sources, &packages.files);
        let test = TestFiles {
            label: crate::report::test_result::name(&addresses),
            subjects: addresses,
            sources: self.planner.overlay("sources with generated files", [vec![inputs], generated].concat()),
            named_tests: named_in(&self.named_tests, &files),
            files,
            images,
            env: settings.env,
            timeout,
            attempts: self.settings.attempts,
            workers,
            network: settings.network,
            cacheable: settings.keep,
        };
        let action = test_run::action(&test, &self.options);
        let action = self.planner.with_services(action, &settings.services, true)?;
        Ok((self.planner.add(action), sources))
    }

    fn require_plugins(
        &mut self,
        settings: &ProcessSettings,
        workers: u32,
        importable: &Importable,
    ) -> Result<(), Error> {
        let (planner, constraints) = (&mut self.planner, &settings.constraints);
        if self.options.coverage.is_some() && !self.options.debug {
            planner.require_plugin(constraints, &self.pytest, importable, "pytest-cov", "[test] use_coverage")?;
            // The process that writes the reports has the packages of one that measures.
            self.measured_with = Some((constraints.clone(), importable.clone()));
        }
        if workers > 0 {
            planner.require_plugin(constraints, &self.pytest, importable, "pytest-xdist", "[pytest] xdist_enabled")?;
        }
        Ok(())
    }

    /// The closure's files without those that an installed package provides, extra inputs, and the settings of pytest and
    /// coverage.
    fn tree(
        &mut self,
        closure: &Closure<'_>,
        tests: &[RelPath],
        extra: &BTreeSet<RelPath>,
        provided: &BTreeSet<RelPath>,
    ) -> Result<Digest, Error> {
        let own = closure.files.iter().filter(|file| tests.contains(file) || !provided.contains(**file));
        let mut files: BTreeSet<RelPath> = own.map(|file| (*file).clone()).collect();
        files.extend(extra.iter().cloned());
        for scope in ["coverage-py", "pytest"] {
            let tool = tools::named(scope).expect("both are described");
            files.extend(self.config_files.find(&tool, self.planner.config(), tests));
        }
        if self.options.coverage.is_some() {
            self.measured_files.extend(files.difference(&self.measured_files).cloned().collect::<Vec<_>>());
        }
        if closure.relocated.is_empty() {
            return Ok(self.sources.tree(&files)?);
        }
        Ok(self.sources.tree_with_moved(&files, &closure.relocated)?)
    }

    fn plan_coverage(&mut self) -> Result<Option<Coverage>, Error> {
        let images = match self.measured_with.take() {
            Some((constraints, importable)) if importable.project.is_some() => {
                Some(self.planner.images_of(&constraints, importable)?)
            }
            _ => self.planner.newest_images(&self.pytest)?,
        };
        let Some(images) = images else { return Ok(None) };
        let also = coverage::unimported_files(self.planner.session)?;
        let options = coverage::report_options(self.planner.session, &also)?;
        let files: BTreeSet<&RelPath> = self.measured_files.iter().chain(also.files()).collect();
        let own = Source::Tree(self.sources.tree(files)?);
        let all = std::iter::once(own).chain(self.measured_trees.iter().copied()).collect();
        let sources = self.planner.overlay("sources with generated files", all);
        Ok(Some(Coverage { images, sources, also, options }))
    }
}

fn pytest_options(session: &Session) -> PytestOptions {
    let config = session.config();
    let (settings, test) = (PytestSettings::parse(config), TestSettings::parse(config));
    let pytest = tools::named("pytest").expect("pytest is described");
    PytestOptions {
        empty_is_fine: allows_empty(&settings),
        args: settings.args,
        config: config_files::configured_files(&pytest, config).pop_first(),
        junit_family: settings.junit_family,
        coverage: coverage::measured(session),
        slot_variable: settings.execution_slot_var,
        force: test.force,
        debug: test.debug,
    }
}

/// Sorted files with modules, sorted.
fn with_modules<'a>(files: &'a [&'a RelPath], modules: &'a BTreeSet<RelPath>) -> Cow<'a, [&'a RelPath]> {
    if modules.is_empty() {
        return Cow::Borrowed(files);
    }
    let all: BTreeSet<&RelPath> = files.iter().copied().chain(modules).collect();
    all.into_iter().collect()
}

/// Whether a file without tests counts as success: the user says so, or pytest's arguments select among the tests, so that
/// a file may well have none that is selected.
fn allows_empty(settings: &PytestSettings) -> bool {
    let selects = |arg: &String| arg.starts_with("-k") || arg.starts_with("-m") || arg.contains("::");
    settings.allow_empty_test_collection || settings.args.iter().any(selects)
}

/// The single tests of these files.
fn named_in(named: &BTreeMap<RelPath, Vec<String>>, files: &[RelPath]) -> BTreeMap<RelPath, Vec<String>> {
    files.iter().filter_map(|file| Some((file.clone(), named.get(file)?.clone()))).collect()
}

/// The sum of the files' timeouts; no limit if one of them has none.
fn total_timeout(settings: &TestSettings, targets: &[&Target]) -> Option<Duration> {
    let own = |target: &Target| target.number("timeout");
    targets.iter().map(|target| settings.timeout(own(target))).sum()
}

/// The number of xdist workers of a process that runs these files.
fn default_workers(session: &Session, files: &[RelPath]) -> u32 {
    let texts = files
        .iter()
        .filter_map(|file| session.context.tracker.read_to_string(&file.to_path(session.build_root())).ok());
    let tests: usize = texts.map(|text| test_run::count_tests(&text)).sum();
    test_run::default_workers(tests)
}
