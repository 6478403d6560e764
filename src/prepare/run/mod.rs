//! Plans programs of the repository: `entry` finds what a target starts with; here follows what it needs, and where it runs: in a
//! sandbox, or on this machine. Which target runs is decided in `goals::run`.

mod entry;
mod on_host;

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{ActionGraph, Source, StepId};
use crate::base::{Digest, RelPath};
use crate::config::typed::{RunSettings, SandboxSettings, SubprocessEnvironmentSettings};
use crate::inference::closure::{Closure, Closures, Follow};
use crate::inference::constraints::{self, InterpreterConstraints};
use crate::inference::generated::Generated;
use crate::inference::{self, Dependencies};
use crate::packaging::project::Project;
use crate::packaging::venv;
use crate::plan::environment;
use crate::plan::program_run::{self, Entry, SandboxedProgram};
use crate::plan::requirements::{self, Wanted};
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::images::{Images, Importable};
use crate::prepare::interpreters::found;
use crate::prepare::package::PackagePlanner;
use crate::prepare::package::distribution;
use crate::prepare::projects::{self, Projects};
use crate::prepare::services;
use crate::session::{Session, toolchains};
use crate::targets::dependencies::find_targets;
use crate::targets::kind;
use crate::targets::{Address, Target, TargetGraph};

pub use entry::{RUNNABLE, RUNNABLE_IN_PANTS, RUNNABLE_IN_SANDBOX};
pub use on_host::{HostSources, host_env, placement};

/// What some targets need at run time.
#[derive(Clone, Debug)]
pub struct Needs {
    /// The interpreter constraints that all of them have in common.
    pub constraints: Vec<String>,
    /// Their requirements.
    pub wanted: Wanted,
    /// The directory of the project whose packages alone may be imported, if all of them belong to one.
    project: Option<RelPath>,
    /// The source roots of what they import, relative to the build root.
    pub source_roots: Vec<RelPath>,
    /// The tree of their files and of what they depend on, without generated files.
    files: Digest,
    /// The targets whose files are generated.
    generated: Vec<Address>,
    /// Whether files of `file` targets are among the sources.
    with_files: bool,
    /// The distributions among their dependencies, which are built and installed with their metadata.
    distributions: Vec<Address>,
    /// The metadata of the projects whose code they use, if there are no such distributions.
    projects: Vec<Project>,
}

/// A program of the repository.
#[derive(Clone, Debug)]
pub struct Program {
    /// The target.
    pub target: Address,
    /// Its name in `sys.argv`, if the entry does not decide it.
    pub name: String,
    /// What it starts with.
    pub entry: Entry,
    /// The arguments that the target gives to the program, before those of the user.
    pub args: Vec<String>,
    /// The variables that the target sets.
    pub env: BTreeMap<String, String>,
    /// What it needs.
    pub needs: Needs,
    /// Whether it runs on the sources of the repository rather than on a copy of them.
    pub in_place: bool,
    /// The services that it has in a sandbox, by name.
    pub services: Vec<String>,
    /// Whether it may use the network in a sandbox.
    network: bool,
}

/// A step that has the terminal, and what it needs.
pub struct PlannedProgram {
    /// The steps.
    pub graph: ActionGraph,
    /// The step of the program.
    pub step: StepId,
    /// The environment of its requirements.
    pub venv: Source,
}

/// The program that a target is.
pub fn program(session: &mut Session, address: &Address) -> Result<Program, Error> {
    let (graph, roots) = (session.load_graph()?, session.find_source_roots()?);
    let settings = RunSettings::parse(session.config());
    let target = graph.get(address).ok_or_else(|| Error::NoSource(address.clone()))?;
    let started = started(&graph, target)?;
    let start = entry::start(started, &roots, settings.console_script.as_deref())?;
    let args = if started.address == target.address {
        start.args
    } else {
        target.strings("args").into_iter().map(str::to_owned).collect()
    };
    let members = [target, started].into_iter().flat_map(|target| members(&graph, target)).collect();
    let needs = needs(session, &members, started.kind != kind::PEX_BINARY)?;
    if let Entry::Module(_) | Entry::Function { .. } = start.entry {
        check_entry_file(&graph, started)?;
    }
    let own = target.flag("run_goal_use_sandbox");
    let is_source = matches!(target.kind.as_str(), "python_source" | kind::PYTHON_TEST);
    Ok(Program {
        target: address.clone(),
        name: start.name,
        entry: start.entry,
        args,
        env: start.env,
        needs,
        in_place: is_source && !own.unwrap_or(settings.copies_sources),
        services: services::of_target(&crate::services::names(session.config()), target)?,
        network: uses_network(session, target)?,
    })
}

/// The target whose program runs: that of an `adhoc_tool` is another one.
fn started<'g>(graph: &'g TargetGraph, target: &'g Target) -> Result<&'g Target, Error> {
    if target.kind != "adhoc_tool" {
        return Ok(target);
    }
    let written = target.text("runnable").unwrap_or_default();
    let unknown = || Error::Runnable { target: target.address.clone(), runnable: written.to_owned() };
    let found = find_targets(graph, written, &target.address.dir).map_err(|_| unknown())?;
    let [address] = &found[..] else { return Err(unknown()) };
    let found = graph.get(address).filter(|found| RUNNABLE_IN_PANTS.contains(&found.kind.as_str()));
    found.ok_or_else(unknown)
}

/// The targets whose files a program needs: its own, and those that its field `execution_dependencies` names.
fn members(graph: &TargetGraph, target: &Target) -> Vec<Address> {
    let written = target.strings("execution_dependencies");
    let named = written.iter().filter_map(|written| find_targets(graph, written, &target.address.dir).ok());
    let generated =
        named.flatten().flat_map(|address| crate::targets::dependencies::expand_generators(graph, &address));
    std::iter::once(target.address.clone()).filter(|_| target.kind != "adhoc_tool").chain(generated).collect()
}

/// What these targets need. `with_files`: whether files of `file` targets are among the sources; a `pex_binary` has none.
pub fn needs(session: &mut Session, targets: &BTreeSet<Address>, with_files: bool) -> Result<Needs, Error> {
    let graph = session.load_graph()?;
    let dependencies = session.infer_for(targets)?;
    let settings = inference::InferenceSettings::from_config(session.config())?;
    let roots = session.find_source_roots()?;
    let closures = Closures::new(&graph, &dependencies, &settings, &roots);
    let all: Vec<Address> = targets.iter().cloned().collect();
    session.report_inference(&dependencies, &targets.iter().cloned().chain(dependencies.transitive(&all)).collect())?;
    let mut closure = closures.compute(targets, Follow::All);
    if closure.resolves.len() > 1 {
        let resolves = closure.resolves.iter().map(|resolve| resolve.to_string()).collect();
        return Err(requirements::Error::SeveralResolves(resolves).into());
    }
    let members = all.iter().cloned().chain(dependencies.transitive(&all)).collect::<BTreeSet<_>>();
    let targets = members.iter().filter_map(|address| graph.get(address));
    let scripts = targets.filter(|target| target.kind == "shell_source").flat_map(|target| &target.sources);
    let mut wanted = requirements::collect(&graph, closure.requirements.iter().copied(), session.config())?;
    let project = hide_undeclared(session, &graph, &all, &mut wanted, &mut closure)?;
    let projects = match closure.distributions.is_empty() {
        true => Projects::find(session)?.of_files(&closure.files, &wanted),
        false => Vec::new(),
    };
    Ok(Needs {
        constraints: common_constraints(session, &graph, &dependencies, &all)?,
        wanted,
        project,
        source_roots: closure.source_roots.iter().map(|root| (*root).clone()).collect(),
        files: tree(session, &graph, &closure, scripts, with_files)?,
        generated: closure.generated.iter().map(|address| (*address).clone()).collect(),
        with_files,
        distributions: closure.distributions.iter().map(|address| (*address).clone()).collect(),
        projects,
    })
}

/// The project that all targets belong to, if `[python] packages_by_project` is set. What it does not see is removed from the closure.
fn hide_undeclared(
    session: &mut Session,
    graph: &TargetGraph,
    targets: &[Address],
    wanted: &mut Wanted,
    closure: &mut Closure<'_>,
) -> Result<Option<RelPath>, Error> {
    let mut planner = Planner::new(session)?;
    let files = targets.iter().filter_map(|address| graph.get(address)).flat_map(|target| &target.sources);
    let projects =
        files.map(|file| planner.locked_project(wanted, file)).collect::<Result<BTreeSet<Option<RelPath>>, Error>>()?;
    let [Some(dir)] = &Vec::from_iter(projects)[..] else { return Ok(None) };
    let names = planner.hide_undeclared(wanted, dir, closure)?;
    planner.note_undeclared(dir, &names);
    Ok(Some(dir.clone()))
}

/// The tree of the files of a closure, and of shell scripts, which are no part of it.
fn tree<'g>(
    session: &mut Session,
    graph: &TargetGraph,
    closure: &Closure<'g>,
    scripts: impl Iterator<Item = &'g RelPath>,
    with_files: bool,
) -> Result<Digest, Error> {
    let is_loose = |file: &RelPath| {
        let mut owners = graph.owners(file).iter().filter_map(|owner| graph.get(owner)).peekable();
        owners.peek().is_some() && owners.all(|owner| owner.kind.starts_with("file"))
    };
    let is_included = |file: &&RelPath| with_files || !is_loose(file);
    let files: BTreeSet<&RelPath> = scripts.chain(closure.files.iter().copied().filter(is_included)).collect();
    let sources = session.services.open_sources()?;
    let tree = match closure.relocated.is_empty() {
        true => sources.tree(files)?,
        false => sources.tree_with_moved(files, &closure.relocated)?,
    };
    sources.save()?;
    Ok(tree)
}

/// As in Pants, an interpreter must fit the targets and everything that they depend on.
fn common_constraints(
    session: &Session,
    graph: &TargetGraph,
    dependencies: &Dependencies,
    targets: &[Address],
) -> Result<Vec<String>, Error> {
    let default = toolchains::default_constraints(session.config());
    let interpreters =
        InterpreterConstraints { graph, dependencies, default: default.iter().map(String::as_str).collect() };
    let groups = interpreters.group_closure(targets);
    let has_own = |address: &Address| {
        graph.get(address).is_some_and(|target| !target.strings("interpreter_constraints").is_empty())
    };
    if !groups.values().flatten().any(has_own) {
        return Ok(default);
    }
    Ok(constraints::merge(groups.keys())?.into_iter().collect())
}

/// An error if the entry point names a file that does not exist. A module that does not exist is reported by Python.
fn check_entry_file(graph: &TargetGraph, target: &Target) -> Result<(), Error> {
    match target.entry_file() {
        Some(file) if !graph.files().contains(&file) => Err(Error::EntryPoint {
            target: target.address.clone(),
            written: file.to_string(),
            why: "the file does not exist",
        }),
        _ => Ok(()),
    }
}

fn uses_network(session: &Session, target: &Target) -> Result<bool, Error> {
    let tags = target.strings("tags");
    if !RunSettings::parse(session.config()).sandbox || !tags.contains(&"requires-network") {
        return Ok(false);
    }
    match SandboxSettings::parse(session.config()).allow_network {
        true => Ok(true),
        false => Err(Error::Tag { target: target.address.clone(), tag: "requires-network" }),
    }
}

impl Needs {
    /// Plans the distributions among the dependencies. Returns the steps that unpack their wheels.
    fn plan_distributions(&self, planner: &mut Planner<'_>) -> Result<Vec<StepId>, Error> {
        if self.distributions.is_empty() {
            return Ok(Vec::new());
        }
        let graph = planner.session.load_graph()?;
        let dependencies = planner.session.infer_for(&distribution::candidates(&graph, &self.distributions))?;
        let settings = inference::InferenceSettings::from_config(planner.config())?;
        let roots = planner.session.find_source_roots()?;
        let closures = Closures::new(&graph, &dependencies, &settings, &roots);
        let mut packages = PackagePlanner::new(&graph, &dependencies, &closures, &roots);
        self.distributions.iter().map(|address| packages.plan_installed(planner, address)).collect()
    }

    /// Plans the metadata of their projects, without code.
    fn plan_metadata(&self, planner: &mut Planner<'_>) -> Vec<StepId> {
        self.projects.iter().map(|project| planner.actions.add(projects::step(project))).collect()
    }

    /// The tree of their files and of what they depend on, generated files included.
    pub fn plan_sources(&self, planner: &mut Planner<'_>) -> Result<Source, Error> {
        let is_wanted = |kind| self.with_files || kind != Generated::File;
        planner.with_generated(Source::Tree(self.files), &self.generated, is_wanted)
    }

    /// Everything that a sandbox holds besides the sources, with a tool.
    pub(in crate::prepare) fn plan_images(
        &self,
        planner: &mut Planner<'_>,
        tool: Option<&str>,
    ) -> Result<Images, Error> {
        let (mut built, tool) = (self.plan_distributions(planner)?, tool.map(str::to_owned));
        built.extend(self.plan_metadata(planner));
        let (wanted, project) = (Some(self.wanted.clone()), self.project.clone());
        let importable = Importable { tool, wanted, project, built, ..Importable::default() };
        planner.images_of(&self.constraints, importable)
    }
}

impl Program {
    /// Plans the program in a sandbox, with the terminal. `args` are the arguments of the user.
    pub fn plan_in_sandbox(&self, session: &mut Session, args: &[String]) -> Result<PlannedProgram, Error> {
        let variables = &session.environment().vars;
        let mut env =
            environment::requested(&SubprocessEnvironmentSettings::parse(session.config()).env_vars, variables);
        env.extend(self.env.clone());
        let terminal = session.environment().var("TERM").map(str::to_owned);
        let mut planner = Planner::new(session)?;
        let mut program = SandboxedProgram { env, ..self.plan_sandboxed(&mut planner)? };
        program.argv.extend(args.iter().cloned());
        let venv = program.images[venv::ROOT];
        let action = program_run::action(program, terminal.as_deref());
        let action = planner.with_services(action, &self.services, false)?;
        let step = planner.add(action);
        Ok(PlannedProgram { graph: planner.actions, step, venv })
    }

    /// Plans everything that the program needs in a sandbox, and its command line with its own arguments and variables.
    pub(super) fn plan_sandboxed(&self, planner: &mut Planner<'_>) -> Result<SandboxedProgram, Error> {
        let minor = planner.python_minor(&self.needs.constraints)?;
        let mut images = self.needs.plan_images(planner, None)?;
        planner.mount_source_roots(&mut images, &self.needs.source_roots)?;
        let places = program_run::sandbox_places(program_run::python_options(&minor, false));
        let mut argv = self.entry.argv(&places, &self.name);
        argv.extend(self.args.iter().cloned());
        Ok(SandboxedProgram {
            label: self.target.to_string(),
            argv,
            env: self.env.clone(),
            sources: self.needs.plan_sources(planner)?,
            images,
            network: self.network,
        })
    }

    /// An error if the program is a script that the requirements do not install. `venv` is the tree of their environment.
    pub fn check_script(&self, session: &mut Session, venv: Digest) -> Result<(), Error> {
        let Entry::Script(script) = &self.entry else { return Ok(()) };
        let store = session.services.open_store()?;
        let bin = RelPath::parse("bin").expect("the path is clean");
        let bin = store.subtree(venv, &bin)?.map(|bin| store.tree(bin)).transpose()?.unwrap_or_default();
        let names = bin.nodes.into_keys().map(|name| name.to_string());
        let known: Vec<String> = names.filter(|name| is_script(name)).collect();
        match known.contains(script) {
            true => Ok(()),
            false => Err(Error::NoScript { target: self.target.clone(), script: script.clone(), known }),
        }
    }
}

/// Whether a file in the directory of scripts belongs to a requirement.
fn is_script(name: &str) -> bool {
    !name.starts_with("python") && !name.starts_with("activate") && !name.starts_with("Activate")
}

impl Planner<'_> {
    /// The minor version of the interpreter, such as `3.11`.
    pub(super) fn python_minor(&mut self, constraints: &[String]) -> Result<String, Error> {
        self.find_interpreter(constraints)?;
        Ok(found(&mut self.interpreters, constraints)?.venvs.interpreter.minor.clone())
    }
}
