//! The interpreters that tests run with, and the images of what they may import: pytest's own packages before the
//! user's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{ActionGraph, Source};
use crate::base::Digest;
use crate::goals::packages::Packages;
use crate::goals::{Error, Session, recipes, toolchains, unlocked};
use crate::plan::requirements::{self, Locks, ToolPackages, Wanted};
use crate::plan::venv::{Distribution, Venvs};
use crate::python::resolve::{self, Chosen, Shadowed};
use crate::python::{Environment, venv};
use crate::tools;

/// Trees by mount point.
pub type Images = BTreeMap<String, Source>;

pub struct Pythons {
    locks: Locks,
    /// A tree without anything in it.
    empty: Digest,
    /// By interpreter constraints. What failed once is not tried again for the next test.
    pythons: BTreeMap<Vec<String>, Result<Python, Arc<Error>>>,
    /// What was told once.
    warned: BTreeSet<String>,
    /// By interpreter constraints and what is wanted.
    images: BTreeMap<(Vec<String>, Wanted), Result<Images, Arc<Error>>>,
}

/// One interpreter and what is found for it.
struct Python {
    packages: Packages,
    venvs: Venvs,
    /// pytest's own.
    tool: Vec<Chosen>,
}

impl Pythons {
    pub fn new(session: &Session, empty: Digest) -> Pythons {
        let locks = Locks::new(session.build_root(), session.config());
        Pythons { locks, empty, pythons: BTreeMap::new(), warned: BTreeSet::new(), images: BTreeMap::new() }
    }

    /// All that a test's sandbox holds beside its sources.
    pub fn images(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        wanted: Wanted,
    ) -> Result<Images, Error> {
        let key = (constraints.to_vec(), wanted);
        if !self.images.contains_key(&key) {
            let images = self.new_images(session, graph, constraints, &key.1).map_err(Arc::new);
            self.images.insert(key.clone(), images);
        }
        Ok(self.images[&key].clone()?)
    }

    fn new_images(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        wanted: &Wanted,
    ) -> Result<Images, Error> {
        self.find(session, graph, constraints)?;
        let chosen = self.chosen(session, constraints, wanted)?;
        self.find(session, graph, constraints)?.images(graph, &chosen)
    }

    /// The newest interpreter that was found, with pytest's own packages alone: it can read all sources.
    pub fn tool_images(&mut self, graph: &mut ActionGraph) -> Result<Option<Images>, Error> {
        let found = self.pythons.values_mut().filter_map(|python| python.as_mut().ok());
        let newest = found.max_by_key(|python| python.packages.environment().python().clone());
        newest.map(|python| python.images(graph, &python.tool.clone())).transpose()
    }

    /// Refuses what needs a plugin that pytest's packages do not hold.
    pub fn require(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        plugin: &'static str,
        wanted_by: &'static str,
    ) -> Result<(), Error> {
        let python = self.find(session, graph, constraints)?;
        let has = python.tool.iter().any(|chosen| chosen.name.as_ref() == plugin);
        let remedy = || format!("add `{plugin}` to {}", origin(session));
        if has { Ok(()) } else { Err(Error::NoPlugin { plugin, wanted_by, remedy: remedy() }) }
    }

    fn chosen(&mut self, session: &mut Session, constraints: &[String], wanted: &Wanted) -> Result<Vec<Chosen>, Error> {
        let Some(Ok(python)) = self.pythons.get(constraints) else { return Err(Error::NoInterpreter) };
        let unlocked = match wanted.resolve {
            None if !wanted.requirements.is_empty() => Some(unlocked::lock(session, constraints)?),
            _ => None,
        };
        let whole = session.config().flag("python", "run_against_entire_lockfile");
        let environment = python.packages.environment();
        let user = requirements::of_user(&mut self.locks, unlocked, wanted, whole, environment)?;
        let (chosen, shadowed) = resolve::combine(python.tool.clone(), user);
        for Shadowed { kept, dropped } in shadowed {
            let (name, version, lock) = (&kept.name, &kept.version, &kept.lock);
            let warning = format!("`{name}` {version} of {lock} stands in for {} of {}", dropped.version, dropped.lock);
            if self.warned.insert(warning.clone()) {
                session.warn(&warning);
            }
        }
        Ok(chosen)
    }

    fn find(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
    ) -> Result<&mut Python, Error> {
        if !self.pythons.contains_key(constraints) {
            let python = self.new_python(session, graph, constraints).map_err(Arc::new);
            self.pythons.insert(constraints.to_vec(), python);
        }
        let python = self.pythons.get_mut(constraints).expect("inserted above");
        python.as_mut().map_err(|error| Error::Shared(error.clone()))
    }

    fn new_python(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
    ) -> Result<Python, Error> {
        let toolchain = toolchains::ensure(session, constraints)?;
        let interpreter = toolchains::interpreter(&toolchain).ok_or(Error::NoInterpreter)?;
        let interpreter = interpreter.compiled(graph, self.empty);
        let environment = Environment::linux_x86_64(&interpreter.version, recipes::GLIBC)?;
        let tool = self.tool(session, constraints, &environment)?;
        let packages = Packages::new(session, environment)?;
        let builders = builders(&packages)?;
        Ok(Python { packages, venvs: Venvs::new(interpreter, self.empty, builders), tool })
    }

    fn tool(
        &mut self,
        session: &mut Session,
        constraints: &[String],
        environment: &Environment,
    ) -> Result<Vec<Chosen>, Error> {
        let pytest = tools::named("pytest").expect("pytest is described");
        match requirements::of_tool(&mut self.locks, &pytest, session.config(), environment)? {
            ToolPackages::Locked(chosen) => Ok(chosen),
            ToolPackages::Unlocked(asked) => {
                let lock = unlocked::tool_lock(session, &pytest.scope, constraints, asked)?;
                Ok(resolve::resolve_whole(&lock, environment).map_err(requirements::Error::from)?)
            }
        }
    }
}

impl Python {
    fn images(&mut self, graph: &mut ActionGraph, chosen: &[Chosen]) -> Result<Images, Error> {
        let distributions = self.packages.distributions(chosen)?;
        let image = self.venvs.compose(graph, &distributions);
        let mut images = self.venvs.interpreter.images.clone();
        images.insert(venv::ROOT.to_owned(), Source::Output(image));
        Ok(images)
    }
}

/// What source distributions are built with. The built-in lock names the files, so no index is asked.
fn builders(packages: &Packages) -> Result<Vec<Distribution>, Error> {
    let lock = requirements::built_in("source distributions", tools::SDIST_LOCK)?;
    let chosen = resolve::resolve_whole(&lock, packages.environment()).map_err(requirements::Error::from)?;
    packages.distributions(&chosen)
}

/// Where pytest's packages come from, as a place to add one to.
fn origin(session: &Session) -> String {
    let config = session.config();
    let lockfile = config.text("pytest", "lockfile").filter(|path| !path.starts_with('<'));
    match (config.text("pytest", "install_from_resolve"), lockfile) {
        (Some(resolve), _) if config.list("pytest", "requirements").is_empty() => {
            format!("the resolve `{resolve}`, which `[pytest] install_from_resolve` names, and lock it again")
        }
        (Some(_), _) => "`requirements` in the section `[pytest]`, and to the resolve if it lacks it".to_owned(),
        (None, Some(path)) => format!("`{path}`, the lockfile that the section `[pytest]` names"),
        (None, None) => "`extra_requirements` in the section `[pytest]`".to_owned(),
    }
}
