//! Everything that the selected test files need, as one graph of actions. A test that cannot be prepared is told with its
//! reason and does not stop the others.

mod batches;
pub mod coverage;
mod process_settings;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::action::{ActionGraph, Source, Step, StepId};
use crate::base::glob::Globs;
use crate::base::{Digest, RelPath};
use crate::config::Config;
use crate::inference;
use crate::inference::closure::{Closure, Closures, Follow};
use crate::plan::config_files::{self, ConfigFiles};
use crate::plan::requirements;
use crate::plan::test_run::{self, PytestOptions, TestFiles, Workers};
use crate::prepare::interpreters::Pythons;
use crate::prepare::test::batches::{Batch, batches};
use crate::prepare::test::coverage::Coverage;
use crate::prepare::test::process_settings::{ProcessSettings, attempts, timeout};
use crate::session::sources::Sources;
use crate::session::{Error, Session};
use crate::store::Tree;
use crate::targets::{Address, Target};
use crate::tools::{self, Tool};

pub struct Prepared {
    pub graph: ActionGraph,
    pub tests: Vec<PreparedTest>,
    /// What reports of coverage need, where coverage is measured.
    pub coverage: Option<Coverage>,
}

/// One process, of one test file or of a batch.
pub struct PreparedTest {
    /// Addresses, as texts.
    pub names: Vec<String>,
    pub timeout: Option<Duration>,
    /// pytest's exit code for "no tests were collected" is no failure.
    pub empty_is_fine: bool,
    /// Or why there is none.
    pub step: Result<StepId, Error>,
}

pub fn prepare(session: &mut Session, tests: &[Address]) -> Result<Prepared, Error> {
    let graph = session.load_graph()?;
    let dependencies = session.infer_for(&tests.iter().cloned().collect())?;
    let settings = inference::InferenceSettings::from_config(session.config())?;
    let roots = session.find_source_roots()?;
    let closures = Closures::new(&graph, &dependencies, &settings, &roots);
    session.report_inference(&dependencies, &tests.iter().cloned().chain(dependencies.transitive(tests)).collect())?;

    let empty = session.services.open_store()?.name_tree(&Tree::default())?;
    let mut preparation = Preparation {
        options: options(session),
        extra_inputs: extra_inputs(session)?,
        sources: session.services.open_sources()?,
        pytest: tools::named("pytest").expect("pytest is described"),
        config_files: ConfigFiles::new(session.build_root(), graph.files(), session.context.tracker.clone()),
        pythons: Pythons::new(session, empty),
        graph: ActionGraph::default(),
        inputs: BTreeSet::new(),
    };
    let mut prepared = Vec::new();
    for batch in batches(session, &graph, tests) {
        let addresses: Vec<Address> = batch.targets.iter().map(|target| target.address.clone()).collect();
        let timeout = whole_timeout(session, &batch.targets);
        let closure = closures.compute(&addresses, Follow::All);
        let step = match preparation.test(session, batch, timeout, &closure) {
            // True of all tests alike.
            Err(error @ Error::NoPlugin { .. }) => return Err(error),
            step => step,
        };
        let empty_is_fine = preparation.options.empty_is_fine;
        let names = addresses.iter().map(ToString::to_string).collect();
        prepared.push(PreparedTest { names, timeout, empty_is_fine, step });
    }
    let coverage = match preparation.options.coverage {
        Some(_) => preparation.coverage(session)?,
        None => None,
    };
    preparation.sources.save()?;
    Ok(Prepared { graph: preparation.graph, tests: prepared, coverage })
}

struct Preparation<'g> {
    options: PytestOptions,
    /// What every test may read.
    extra_inputs: Vec<RelPath>,
    sources: Arc<Sources>,
    pytest: Tool,
    config_files: ConfigFiles<'g>,
    pythons: Pythons,
    graph: ActionGraph,
    /// The files of all tests, where coverage is measured.
    inputs: BTreeSet<RelPath>,
}

impl Preparation<'_> {
    fn test(
        &mut self,
        session: &mut Session,
        batch: Batch<'_>,
        timeout: Option<Duration>,
        closure: &Closure<'_>,
    ) -> Result<StepId, Error> {
        let settings = batch.settings?;
        if !closure.packages.is_empty() {
            return Err(Error::NeedsPackages(closure.packages.iter().map(ToString::to_string).collect()));
        }
        if !closure.definitions.is_empty() {
            return Err(Error::NeedsGenerated(closure.definitions.iter().map(ToString::to_string).collect()));
        }
        let files = batch
            .targets
            .iter()
            .map(|target| target.sources.first().cloned().ok_or_else(|| Error::NoSource(target.address.clone())));
        let files = files.collect::<Result<Vec<RelPath>, Error>>()?;
        let graph = session.load_graph()?;
        let wanted = requirements::wanted(&graph, closure.requirements.iter().copied(), session.config())?;
        let images =
            self.pythons.images(session, &mut self.graph, &settings.constraints, &self.pytest, Some(wanted))?;
        let workers = workers(session, &settings, &files);
        self.require_plugins(session, &settings, workers)?;
        let addresses: Vec<String> = batch.targets.iter().map(|target| target.address.to_string()).collect();
        let test = TestFiles {
            label: crate::report::test_result::name(&addresses),
            sources: Source::Tree(self.tree(session, closure, &files)?),
            files,
            source_roots: closure.source_roots.iter().map(|root| (*root).clone()).collect(),
            images,
            env: settings.env,
            timeout,
            attempts: attempts(session),
            workers,
            network: settings.network,
            keep: settings.keep,
        };
        Ok(self.graph.add(Step::Run(Box::new(test_run::action(&test, &self.options)))))
    }

    fn require_plugins(
        &mut self,
        session: &mut Session,
        settings: &ProcessSettings,
        workers: Workers,
    ) -> Result<(), Error> {
        let (pythons, graph, constraints) = (&mut self.pythons, &mut self.graph, &settings.constraints);
        if self.options.coverage.is_some() && !self.options.debug {
            pythons.require(session, graph, constraints, &self.pytest, ("pytest-cov", "[test] use_coverage"))?;
        }
        if workers != Workers::None {
            pythons.require(session, graph, constraints, &self.pytest, ("pytest-xdist", "[pytest] xdist_enabled"))?;
        }
        Ok(())
    }

    /// The closure's files and the settings of pytest and coverage.
    fn tree(&mut self, session: &mut Session, closure: &Closure<'_>, tests: &[RelPath]) -> Result<Digest, Error> {
        let mut files: BTreeSet<RelPath> = closure.files.iter().map(|file| (*file).clone()).collect();
        files.extend(self.extra_inputs.iter().cloned());
        for scope in ["coverage-py", "pytest"] {
            let tool = tools::named(scope).expect("both are described");
            files.extend(self.config_files.of(&tool, session.config(), tests));
        }
        if self.options.coverage.is_some() {
            self.inputs.extend(files.iter().filter(|file| !self.inputs.contains(*file)).cloned().collect::<Vec<_>>());
        }
        Ok(self.sources.tree(&files)?)
    }

    fn coverage(&mut self, session: &mut Session) -> Result<Option<Coverage>, Error> {
        let Some(images) = self.pythons.newest_images(session, &mut self.graph, &self.pytest)? else { return Ok(None) };
        let also = coverage::untouched(session)?;
        let options = coverage::report_options(session, &also)?;
        let files: BTreeSet<&RelPath> = self.inputs.iter().chain(&also).collect();
        Ok(Some(Coverage { images, sources: self.sources.tree(files)?, also, options }))
    }
}

fn options(session: &Session) -> PytestOptions {
    let config = session.config();
    let pytest = tools::named("pytest").expect("pytest is described");
    PytestOptions {
        empty_is_fine: skips_empty(config),
        args: config.list("pytest", "args").into_iter().map(str::to_owned).collect(),
        config: config_files::named(&pytest, config).pop_first(),
        junit_family: config.text("pytest", "junit_family").unwrap_or("xunit2").to_owned(),
        coverage: coverage::measured(session),
        slot_variable: config.text("pytest", "execution_slot_var").map(str::to_owned),
        force: config.flag("test", "force"),
        debug: config.flag("test", "debug"),
    }
}

/// Whether a file without tests is no failure: by its setting, or since pytest's arguments choose among a file's tests, so
/// that choosing none of one file is nothing odd.
fn skips_empty(config: &Config) -> bool {
    let selects = |arg: &&str| arg.starts_with("-k") || arg.starts_with("-m") || arg.contains("::");
    config.flag("pytest", "allow_empty_test_collection") || config.list("pytest", "args").iter().any(selects)
}

fn extra_inputs(session: &mut Session) -> Result<Vec<RelPath>, Error> {
    let graph = session.load_graph()?;
    let globs = Globs::compile(session.config().list("test", "extra_inputs")).map_err(Error::ExtraInputs)?;
    Ok(graph.files().matching(&RelPath::root(), &globs))
}

/// Of all files together; no limit where one of them has none.
fn whole_timeout(session: &Session, targets: &[&Target]) -> Option<Duration> {
    targets.iter().map(|target| timeout(session, target)).sum()
}

/// No more than there are tests.
fn workers(session: &Session, settings: &ProcessSettings, files: &[RelPath]) -> Workers {
    let Workers::Idle(_) = settings.workers else { return settings.workers };
    let texts = files
        .iter()
        .filter_map(|file| session.context.tracker.read_to_string(&file.to_path(session.build_root())).ok());
    Workers::Idle(texts.map(|text| test_run::count_tests(&text)).sum())
}
