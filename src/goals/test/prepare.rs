//! Everything that the selected test files need, as one graph of actions. A test that cannot be prepared is told with its
//! reason and does not stop the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::action::{ActionGraph, Source, Step, StepId};
use crate::base::{Digest, RelPath};
use crate::goals::packages::Packages;
use crate::goals::sources::Sources;
use crate::goals::{Error, Session, recipes, toolchains, unlocked};
use crate::plan::config_files::{self, config_files};
use crate::plan::environment;
use crate::plan::requirements::{self, Locks, Wanted};
use crate::plan::test_run::{self, PytestOptions, TestFile};
use crate::plan::venv::{Distribution, Venvs};
use crate::python::closure::{Closure, Closures, Follow};
use crate::python::{self, Environment, venv};
use crate::store::Tree;
use crate::target::{Address, Target};
use crate::tools;

pub struct Prepared {
    pub graph: ActionGraph,
    pub tests: Vec<PreparedTest>,
}

pub struct PreparedTest {
    pub address: Address,
    pub timeout: Option<Duration>,
    /// pytest's exit code for "no tests were collected" is no failure.
    pub empty_is_fine: bool,
    /// Or why there is none.
    pub step: Result<StepId, Error>,
}

pub fn prepare(session: &mut Session, tests: &[Address]) -> Result<Prepared, Error> {
    let graph = session.graph()?;
    let dependencies = session.dependencies()?;
    let settings = python::Settings::of(session.config())?;
    let roots = session.source_roots()?;
    let closures = Closures::new(&graph, &dependencies, &settings, &roots);
    session.tell_doubts(&dependencies, &tests.iter().cloned().chain(dependencies.transitive(tests)).collect());

    let mut preparation = Preparation {
        options: options(session),
        sources: session.sources()?,
        locks: Locks::new(session.build_root(), session.config()),
        empty: session.store()?.put_tree(&Tree::default())?,
        graph: ActionGraph::default(),
        pythons: BTreeMap::new(),
        images: BTreeMap::new(),
    };
    let mut prepared = Vec::new();
    for address in tests {
        let Some(target) = graph.get(address) else { continue };
        let closure = closures.of([address], Follow::All);
        let step = preparation.test(session, target, &closure);
        let empty_is_fine = preparation.options.empty_is_fine;
        prepared.push(PreparedTest {
            address: address.clone(),
            timeout: timeout(session, target),
            empty_is_fine,
            step,
        });
    }
    preparation.sources.save()?;
    Ok(Prepared { graph: preparation.graph, tests: prepared })
}

struct Preparation {
    options: PytestOptions,
    sources: Arc<Sources>,
    locks: Locks,
    /// A tree without anything in it.
    empty: Digest,
    graph: ActionGraph,
    /// By interpreter constraints.
    pythons: Pythons,
    /// Images by interpreter constraints and what is wanted.
    images: BTreeMap<(Vec<String>, Wanted), Result<StepId, Arc<Error>>>,
}

/// One interpreter and what is found for it.
struct Python {
    packages: Packages,
    venvs: Venvs,
    /// pytest's own.
    tool: Vec<python::resolve::Chosen>,
}

impl Preparation {
    fn test(&mut self, session: &mut Session, target: &Target, closure: &Closure<'_>) -> Result<StepId, Error> {
        if !closure.packages.is_empty() {
            return Err(Error::NeedsPackages(closure.packages.iter().map(ToString::to_string).collect()));
        }
        let file = target.sources.first().ok_or_else(|| Error::NoSource(target.address.clone()))?;
        let constraints = constraints(session, target);
        let graph = session.graph()?;
        let wanted = requirements::wanted(&graph, closure.requirements.iter().copied(), session.config())?;
        let image = self.image(session, &constraints, wanted)?;
        let mut images = self.python(session, &constraints)?.venvs.interpreter.images.clone();
        images.insert(venv::ROOT.to_owned(), Source::Output(image));
        let test = TestFile {
            label: target.address.to_string(),
            file: file.clone(),
            sources: Source::Tree(self.tree(session, closure, file)?),
            source_roots: closure.source_roots.iter().map(|root| (*root).clone()).collect(),
            images,
            env: env(session, target),
            timeout: timeout(session, target),
            attempts: attempts(session),
        };
        Ok(self.graph.add(Step::Run(Box::new(test_run::action(&test, &self.options)))))
    }

    /// The venv image of pytest and the user's requirements. What failed once is not tried again for the next test.
    fn image(&mut self, session: &mut Session, constraints: &[String], wanted: Wanted) -> Result<StepId, Error> {
        let key = (constraints.to_vec(), wanted);
        if !self.images.contains_key(&key) {
            let image = self.new_image(session, constraints, &key.1).map_err(Arc::new);
            self.images.insert(key.clone(), image);
        }
        Ok(self.images[&key].clone()?)
    }

    fn new_image(&mut self, session: &mut Session, constraints: &[String], wanted: &Wanted) -> Result<StepId, Error> {
        self.python(session, constraints)?;
        let unlocked = match wanted.resolve {
            None if !wanted.requirements.is_empty() => Some(unlocked::lock(session, constraints)?),
            _ => None,
        };
        let whole = session.config().flag("python", "run_against_entire_lockfile");
        let Preparation { pythons, locks, .. } = self;
        let python = found(pythons, constraints)?;
        let environment = python.packages.environment();
        let user = requirements::of_user(locks, unlocked, wanted, whole, environment)?;
        let (chosen, shadowed) = python::resolve::combine(python.tool.clone(), user);
        for shadowed in shadowed {
            let (kept, dropped) = (&shadowed.kept, &shadowed.dropped);
            session.warn(&format!(
                "`{}` {} of {} stands in for {} of {}",
                kept.name, kept.version, kept.lock, dropped.version, dropped.lock
            ));
        }
        let distributions = python.packages.distributions(&chosen)?;
        Ok(python.venvs.compose(&mut self.graph, &distributions))
    }

    fn python(&mut self, session: &mut Session, constraints: &[String]) -> Result<&mut Python, Error> {
        if !self.pythons.contains_key(constraints) {
            let python = self.find_python(session, constraints).map_err(Arc::new);
            self.pythons.insert(constraints.to_vec(), python);
        }
        found(&mut self.pythons, constraints)
    }

    fn find_python(&mut self, session: &mut Session, constraints: &[String]) -> Result<Python, Error> {
        let toolchain = toolchains::ensure(session, constraints)?;
        let interpreter = toolchains::interpreter(&toolchain).ok_or(Error::NoInterpreter)?;
        let interpreter = interpreter.compiled(&mut self.graph, self.empty);
        let environment = Environment::linux_x86_64(&interpreter.version, recipes::GLIBC)?;
        let pytest = tools::named("pytest").expect("pytest is described");
        let tool = requirements::of_tool(&mut self.locks, &pytest, session.config(), &environment)?;
        let packages = Packages::new(session, environment)?;
        let builders = self.builders(&packages)?;
        Ok(Python { packages, venvs: Venvs::new(interpreter, self.empty, builders), tool })
    }

    /// What source distributions are built with. Looked up only where there are any: most runs have none.
    fn builders(&self, packages: &Packages) -> Result<Vec<Distribution>, Error> {
        let lock = requirements::built_in("source distributions", tools::SDIST_LOCK)?;
        let chosen =
            python::resolve::resolve_whole(&lock, packages.environment()).map_err(requirements::Error::from)?;
        packages.distributions(&chosen)
    }

    /// The closure's files and the settings of pytest and coverage.
    fn tree(&self, session: &mut Session, closure: &Closure<'_>, file: &RelPath) -> Result<Digest, Error> {
        let graph = session.graph()?;
        let root = session.build_root();
        let exists = |path: &RelPath| graph.files().contains(path) || path.to_path(root).is_file();
        let holds = |path: &RelPath, text: &str| {
            std::fs::read_to_string(path.to_path(root)).is_ok_and(|content| content.contains(text))
        };
        let mut files: BTreeSet<RelPath> = closure.files.iter().map(|file| (*file).clone()).collect();
        for scope in ["coverage-py", "pytest"] {
            let tool = tools::named(scope).expect("both are described");
            files.extend(config_files(&tool, session.config(), [file], &exists, &holds));
        }
        Ok(self.sources.tree(&files)?)
    }
}

type Pythons = BTreeMap<Vec<String>, Result<Python, Arc<Error>>>;

/// Of what was looked for already.
fn found<'p>(pythons: &'p mut Pythons, constraints: &[String]) -> Result<&'p mut Python, Error> {
    let python = pythons.get_mut(constraints).expect("looked for before");
    python.as_mut().map_err(|error| Error::Shared(error.clone()))
}

fn options(session: &Session) -> PytestOptions {
    let config = session.config();
    let pytest = tools::named("pytest").expect("pytest is described");
    let args: Vec<String> = config.list("pytest", "args").into_iter().map(str::to_owned).collect();
    let coverage = config.flag("test", "use_coverage");
    PytestOptions {
        empty_is_fine: config.flag("pytest", "allow_empty_test_collection") || selects(&args),
        args,
        config: config_files::named(&pytest, config),
        coverage: coverage.then(|| config.list("coverage-py", "filter").into_iter().map(str::to_owned).collect()),
        slot_variable: config.text("pytest", "execution_slot_var").map(str::to_owned),
        force: config.flag("test", "force"),
        debug: config.flag("test", "debug"),
    }
}

/// Whether these arguments choose among a file's tests, so that choosing none of one file is nothing odd.
fn selects(args: &[String]) -> bool {
    args.iter().any(|arg| arg.starts_with("-k") || arg.starts_with("-m") || arg.contains("::"))
}

fn constraints(session: &Session, target: &Target) -> Vec<String> {
    let own = target.fields.get("interpreter_constraints").map(|value| value.strings()).unwrap_or_default();
    let texts = if own.is_empty() { session.config().list("python", "interpreter_constraints") } else { own };
    texts.into_iter().map(str::to_owned).collect()
}

fn env(session: &Session, target: &Target) -> BTreeMap<String, String> {
    let caller = &session.environment().vars;
    let mut env = environment::requested(&session.config().list("test", "extra_env_vars"), caller);
    let own = target.fields.get("extra_env_vars").map(|value| value.strings()).unwrap_or_default();
    env.extend(environment::requested(&own, caller));
    env
}

/// The target's, else the default, but never above the maximum.
fn timeout(session: &Session, target: &Target) -> Option<Duration> {
    let config = session.config();
    if !config.value("test", "timeouts").as_bool().unwrap_or(true) {
        return None;
    }
    let own = target.fields.get("timeout").and_then(|value| value.as_int());
    let seconds = own.or_else(|| config.integer("test", "timeout_default"))?;
    let most = config.integer("test", "timeout_maximum").unwrap_or(i64::MAX);
    u64::try_from(seconds.min(most)).ok().map(Duration::from_secs)
}

fn attempts(session: &Session) -> u32 {
    let attempts = session.config().integer("test", "attempts_default");
    attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(1).max(1)
}
