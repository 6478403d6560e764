//! The interpreters that steps run with, and the images of what their processes may import: a tool's own packages, what
//! the targets require, or both, the tool's first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uv_pep440::Version;

use crate::action::{ActionGraph, Source};
use crate::base::Digest;
use crate::packaging::recipes;
use crate::packaging::resolve::{self, SelectedPackage, VersionConflict};
use crate::packaging::{Environment, venv};
use crate::plan::requirements::{self, Locks, ToolPackages, Wanted};
use crate::plan::venv::{Distribution, Venvs};
use crate::prepare::locks;
use crate::prepare::packages::Packages;
use crate::session::memo::remembered;
use crate::session::{Error, Session, toolchains};
use crate::tools::{self, Tool};

/// Trees by mount point.
pub type Images = BTreeMap<String, Source>;

/// Or why it cannot be had, told to whoever asks.
type Shared<T> = Result<T, Arc<Error>>;

/// What a process may import.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Importable {
    /// The scope of the tool.
    tool: Option<String>,
    /// What the targets require.
    wanted: Option<Wanted>,
    /// The name of packages that were pinned for it.
    beside: Option<String>,
}

/// All interpreters of one graph of actions. What failed once is not tried again for the next step.
pub struct Pythons {
    locks: Locks,
    /// A tree without anything in it.
    empty: Digest,
    /// By interpreter constraints.
    pythons: BTreeMap<Vec<String>, Shared<Python>>,
    /// A tool's packages, by interpreter constraints and scope.
    tools: BTreeMap<(Vec<String>, String), Shared<Vec<SelectedPackage>>>,
    /// What was told once.
    warned: BTreeSet<String>,
    /// Venv images, by interpreter constraints and what is in them.
    venvs: BTreeMap<(Vec<String>, Importable), Shared<Source>>,
}

/// One interpreter and what is found for it.
struct Python {
    packages: Packages,
    venvs: Venvs,
}

impl Pythons {
    pub fn new(session: &Session, empty: Digest) -> Pythons {
        let locks = Locks::new(session.build_root(), session.config(), session.context.tracker.clone());
        let (pythons, tools) = (BTreeMap::new(), BTreeMap::new());
        Pythons { locks, empty, pythons, tools, warned: BTreeSet::new(), venvs: BTreeMap::new() }
    }

    /// All that a sandbox holds beside its sources: the tool, and what the targets require where that is given.
    pub fn images(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        tool: &Tool,
        wanted: Option<Wanted>,
    ) -> Result<Images, Error> {
        let importable = Importable { tool: Some(tool.scope.clone()), wanted, beside: None };
        let venv = self.venv(session, graph, constraints, importable)?;
        let mut images = self.find(session, graph, constraints)?.venvs.interpreter.images.clone();
        images.insert(venv::ROOT.to_owned(), venv);
        Ok(images)
    }

    /// An image of what the targets require, without any tool, to be mounted wherever it is needed. `beside` names
    /// packages that were pinned for it.
    pub fn requirements(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        wanted: Wanted,
        beside: Option<String>,
    ) -> Result<Source, Error> {
        self.venv(session, graph, constraints, Importable { tool: None, wanted: Some(wanted), beside })
    }

    /// Packages that are no tool's and no target's: from a lockfile, else pinned now. `name` is what they are called.
    pub fn pin(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        (name, lockfile): (&str, Option<&str>),
        asked: BTreeSet<String>,
    ) -> Result<(), Error> {
        let environment = self.find(session, graph, constraints)?.packages.environment().clone();
        let lock = match lockfile {
            Some(path) => self.locks.at(path)?,
            None => locks::tool_lock(session, name, constraints, asked)?,
        };
        let chosen = resolve::resolve_whole(&lock, &environment).map_err(requirements::Error::from)?;
        self.tools.insert((constraints.to_vec(), name.to_owned()), Ok(chosen));
        Ok(())
    }

    /// The full version of the interpreter: 3.11.2.
    pub fn version(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
    ) -> Result<Version, Error> {
        Ok(self.find(session, graph, constraints)?.packages.environment().python().clone())
    }

    /// The newest interpreter that was found, with the tool's own packages alone: it can read all sources.
    pub fn newest_images(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        tool: &Tool,
    ) -> Result<Option<Images>, Error> {
        let found = self.pythons.iter().filter_map(|(constraints, python)| Some((constraints, python.as_ref().ok()?)));
        let newest = found.max_by_key(|(_, python)| python.packages.environment().python().clone());
        let Some(constraints) = newest.map(|(constraints, _)| constraints.clone()) else { return Ok(None) };
        self.images(session, graph, &constraints, tool, None).map(Some)
    }

    /// The packages of a tool, by name.
    pub fn tool_packages(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        tool: &Tool,
    ) -> Result<Vec<SelectedPackage>, Error> {
        let key = (constraints.to_vec(), tool.scope.clone());
        if !self.tools.contains_key(&key) {
            let chosen = self.new_tool_packages(session, graph, constraints, tool).map_err(Arc::new);
            self.tools.insert(key.clone(), chosen);
        }
        Ok(self.tools[&key].clone()?)
    }

    /// Refuses what needs a plugin that the tool's packages do not hold.
    pub fn require(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        tool: &Tool,
        (plugin, wanted_by): (&'static str, &'static str),
    ) -> Result<(), Error> {
        let chosen = self.tool_packages(session, graph, constraints, tool)?;
        let has = chosen.iter().any(|chosen| chosen.name.as_ref() == plugin);
        let remedy = || format!("add `{plugin}` to {}", origin(session, &tool.scope));
        if has {
            return Ok(());
        }
        Err(Error::NoPlugin { plugin, wanted_by, tool: tool.scope.clone(), remedy: remedy() })
    }

    fn venv(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        importable: Importable,
    ) -> Result<Source, Error> {
        let key = (constraints.to_vec(), importable);
        if !self.venvs.contains_key(&key) {
            let venv = self.new_venv(session, graph, constraints, &key.1).map_err(Arc::new);
            self.venvs.insert(key.clone(), venv);
        }
        Ok(self.venvs[&key].clone()?)
    }

    fn new_venv(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        importable: &Importable,
    ) -> Result<Source, Error> {
        let mut chosen = match importable.tool.as_deref().and_then(tools::named) {
            Some(tool) => self.tool_packages(session, graph, constraints, &tool)?,
            None => Vec::new(),
        };
        if let Some(wanted) = &importable.wanted {
            let user = self.user_packages(session, graph, constraints, wanted)?;
            chosen = self.combined(session, chosen, user);
        }
        if let Some(name) = &importable.beside {
            let pinned = self.tools.get(&(constraints.to_vec(), name.clone())).cloned().transpose()?;
            chosen = self.combined(session, chosen, pinned.unwrap_or_default());
        }
        let python = self.find(session, graph, constraints)?;
        let distributions = python.packages.distributions(&chosen)?;
        if !python.venvs.can_build() && distributions.iter().any(|distribution| !distribution.is_wheel()) {
            python.venvs.build_with(builders(&python.packages)?);
        }
        Ok(Source::Output(python.venvs.compose(graph, &distributions)))
    }

    fn user_packages(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        wanted: &Wanted,
    ) -> Result<Vec<SelectedPackage>, Error> {
        let unlocked = match wanted.resolve {
            None if !wanted.requirements.is_empty() => Some(locks::lock(session, constraints)?),
            _ => None,
        };
        let whole = session.config().flag("python", "run_against_entire_lockfile");
        let environment = self.find(session, graph, constraints)?.packages.environment().clone();
        let question = requirements::question_of_user(&self.locks, wanted, whole, &environment);
        let locks = &mut self.locks;
        let of_user = || Ok(requirements::of_user(locks, unlocked, wanted, whole, &environment)?);
        remembered(&*session.services.open_store()?, question, of_user)
    }

    fn combined(
        &mut self,
        session: &Session,
        tool: Vec<SelectedPackage>,
        user: Vec<SelectedPackage>,
    ) -> Vec<SelectedPackage> {
        let (chosen, shadowed) = resolve::combine(tool, user);
        for VersionConflict { kept, dropped } in shadowed {
            let (name, version, lock) = (&kept.name, &kept.version, &kept.lock);
            let warning = format!("`{name}` {version} of {lock} stands in for {} of {}", dropped.version, dropped.lock);
            if self.warned.insert(warning.clone()) {
                session.ui.warn(&warning);
            }
        }
        chosen
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
        let packages = Packages::new(session, environment)?;
        Ok(Python { packages, venvs: Venvs::new(interpreter, self.empty) })
    }

    fn new_tool_packages(
        &mut self,
        session: &mut Session,
        graph: &mut ActionGraph,
        constraints: &[String],
        tool: &Tool,
    ) -> Result<Vec<SelectedPackage>, Error> {
        let environment = self.find(session, graph, constraints)?.packages.environment().clone();
        let question = requirements::question_of_tool(&self.locks, tool, session.config(), &environment);
        let store = session.services.open_store()?;
        let locks = &mut self.locks;
        let of_tool = || Ok(requirements::of_tool(locks, tool, session.config(), &environment)?);
        match remembered(&store, question, of_tool)? {
            ToolPackages::Locked(chosen) => Ok(chosen),
            ToolPackages::Unlocked(asked) => {
                let lock = locks::tool_lock(session, &tool.scope, constraints, asked)?;
                Ok(resolve::resolve_whole(&lock, &environment).map_err(requirements::Error::from)?)
            }
        }
    }
}

/// What source distributions are built with. The built-in lock names the files, so no index is asked.
fn builders(packages: &Packages) -> Result<Vec<Distribution>, Error> {
    let lock = requirements::built_in("source distributions", tools::SDIST_LOCK)?;
    let chosen = resolve::resolve_whole(&lock, packages.environment()).map_err(requirements::Error::from)?;
    packages.distributions(&chosen)
}

/// Where a tool's packages come from, as a place to add one to.
pub fn origin(session: &Session, scope: &str) -> String {
    let config = session.config();
    let lockfile = config.text(scope, "lockfile").filter(|path| !path.starts_with('<'));
    match (config.text(scope, "install_from_resolve"), lockfile) {
        (Some(resolve), _) if config.list(scope, "requirements").is_empty() => {
            format!("the resolve `{resolve}`, which `[{scope}] install_from_resolve` names, and lock it again")
        }
        (Some(_), _) => format!("`requirements` in the section `[{scope}]`, and to the resolve if it lacks it"),
        (None, Some(path)) => format!("`{path}`, the lockfile that the section `[{scope}]` names"),
        (None, None) => format!("`extra_requirements` in the section `[{scope}]`"),
    }
}
