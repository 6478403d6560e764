//! What a packaged program consists of, for PEX files and cloud functions alike: its sources, the wheel files of its
//! requirements and of the distributions that it depends on, and the platforms that it is built for. How Pex packages them is
//! decided in `pex` and `lambda`.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Derive, Source, Step, StepId};
use crate::base::{Digest, RelPath};
use crate::inference::closure::{Closure, Follow};
use crate::inference::constraints::{self, InterpreterConstraints};
use crate::packaging::platform::{self, TargetPlatform};
use crate::plan::pex_run::{Program, platform_file};
use crate::plan::requirements;
use crate::plan::venv::Distribution;
use crate::prepare::images::built_in;
use crate::prepare::interpreters::found;
use crate::prepare::package::PackagePlanner;
use crate::prepare::package::distribution::Form;
use crate::prepare::{Error as PrepareError, Planner};
use crate::session::toolchains;
use crate::store::{Node, Tree};
use crate::targets::dependencies::explicit_in_field;
use crate::targets::requirement_text::canonical;
use crate::targets::{Address, Target};
use crate::tools;

/// Why a program cannot be packaged as it is declared.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    #[error("{target} sets more than one of the fields `entry_point`, `script` and `executable`")]
    SeveralEntryPoints { target: Address },
    #[error("{target}: the field `{field}` names `{path}`, which does not exist")]
    NoSuchFile { target: Address, field: &'static str, path: String },
    #[error("{target}: the field `executable` names `{file}`, which is not among the sources of the program")]
    NotADependency { target: Address, file: RelPath },
    #[error("{target}: invalid value `{written}` of the field `{field}`: {why}")]
    Invalid { target: Address, field: &'static str, written: String, why: String },
    #[error("{target}: the field `{field}` is not supported: {why}")]
    Unsupported { target: Address, field: &'static str, why: &'static str },
    #[error("{target} needs a source root for `{file}`")]
    NoSourceRoot { target: Address, file: RelPath },
    #[error("{target} contains two different files `{path}`, one of them from `{file}`")]
    SamePath { target: Address, path: RelPath, file: String },
    #[error("{target} depends on targets of several resolves: `{}`", .resolves.join("`, `"))]
    SeveralResolves { target: Address, resolves: Vec<String> },
    #[error("{target}: the platform `{named}` {source}")]
    Platform { target: Address, named: String, source: platform::Error },
    #[error("{target}: {source}")]
    Constraints { target: Address, source: constraints::Incompatible },
    #[error("{target}: the Python version of the function cannot be determined: {why}")]
    Runtime { target: Address, why: String },
    #[error("{target}: {source}")]
    Address { target: Address, source: crate::targets::dependencies::Error },
    #[error("{target} cannot be packaged as an executable with an interpreter (`scie`)")]
    Scie { target: Address },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NoSourceRoot { .. } => "add the directory to `root_patterns` in the section `[source]`",
            Error::NotADependency { .. } => "add the target of that file to `dependencies`",
            Error::SeveralResolves { .. } => {
                "give these targets the same `resolve`, or `parametrize` shared targets over both"
            }
            Error::Platform { source: platform::Error::Abbreviation, .. } => {
                "describe the platform with `pex3 interpreter inspect --markers --tags` in a file, and name the file's target in \
                 `complete_platforms`"
            }
            Error::Runtime { .. } => {
                "set `runtime` or `complete_platforms`, or constrain the interpreter to one minor version, such as \
                 `CPython==3.12.*`"
            }
            Error::Address { source, .. } => return source.hint().map(str::to_owned),
            Error::Scie { .. } => {
                "Pex would download a launcher and an interpreter, and steps have no network: remove the option and build a \
                 PEX file, or run `pex --scie` on that file outside of Waders"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// What to package.
pub(super) struct ProgramRequest<'t> {
    pub target: &'t Target,
    pub include_sources: bool,
    pub include_requirements: bool,
    /// The platforms to build for; empty for that of the interpreter.
    pub platforms: Vec<TargetPlatform>,
    /// Interpreter constraints to use instead of those of the targets.
    pub constraints: Option<Vec<String>>,
    /// Files to add to the sources: path and content.
    pub extra_sources: BTreeMap<RelPath, String>,
}

impl PackagePlanner<'_> {
    /// Plans everything that the program consists of.
    pub(super) fn plan_program(
        &mut self,
        planner: &mut Planner<'_>,
        request: &ProgramRequest<'_>,
    ) -> Result<Program, PrepareError> {
        let target = request.target;
        let closure = self.closures.compute([&target.address], Follow::All);
        refuse_unsupported(planner, target, &closure)?;
        let constraints = match &request.constraints {
            Some(constraints) => constraints.clone(),
            None => self.program_constraints(planner, target)?,
        };
        planner.find_interpreter(&constraints)?;
        let local = closure.distributions.iter().map(|address| Ok(self.plan_form(planner, address, Form::Wheel)?.step));
        let local = local.collect::<Result<Vec<StepId>, PrepareError>>()?;
        let mut sources = Source::Tree(self.source_tree(planner, request, &closure)?);
        if request.include_sources {
            let mut parts = vec![sources];
            for address in &closure.generated {
                parts.extend(planner.importable_files(address)?);
            }
            sources = planner.overlay("sources with generated files", parts);
        }
        if !local.is_empty() && request.include_sources {
            let parts = std::iter::once(sources).chain(local.iter().copied().map(Source::Output)).collect();
            sources = derive(planner, "sources without those of distributions", "unpackaged-1", parts);
        }
        let local = local.into_iter().map(Source::Output).collect();
        let distributions = derive(planner, "wheel files of distributions", "wheel-files-1", local);
        let mut wheels = Vec::new();
        if request.include_requirements {
            let required = closure.requirements.iter().copied();
            let required = requirements::collect(self.graph, required, planner.config())?;
            let files = planner.wheel_files(&constraints, &required, &request.platforms)?;
            wheels.extend(files.into_iter().map(Source::Output));
        }
        let texts: BTreeSet<String> = closure.requirement_texts.iter().map(|text| canonical(text)).collect();
        Ok(Program {
            sources,
            wheels: derive(planner, "wheel files", "wheel-files-1", wheels),
            distributions,
            pex: planner.pex_image(&constraints)?,
            platforms: platform_tree(planner, &request.platforms)?,
            requirements: request.include_requirements.then(|| texts.into_iter().collect()),
            constraints,
        })
    }

    /// The constraints that all targets of the program have in common.
    pub(super) fn program_constraints(
        &self,
        planner: &Planner<'_>,
        target: &Target,
    ) -> Result<Vec<String>, PrepareError> {
        let default = toolchains::default_constraints(planner.config());
        let found = InterpreterConstraints {
            graph: self.graph,
            dependencies: self.dependencies,
            default: default.iter().map(String::as_str).collect(),
        };
        let groups = found.group_closure(std::slice::from_ref(&target.address));
        let merged = constraints::merge(groups.keys());
        let failed = |source| Error::Constraints { target: target.address.clone(), source };
        let merged: Vec<String> = merged.map_err(failed)?.into_iter().collect();
        Ok(if merged.is_empty() { default } else { merged })
    }

    /// Sources and resources at their paths below their source roots.
    fn source_tree(
        &self,
        planner: &mut Planner<'_>,
        request: &ProgramRequest<'_>,
        closure: &Closure<'_>,
    ) -> Result<Digest, PrepareError> {
        let target = &request.target.address;
        let store = planner.session.services.open_store()?;
        let batch = store.batch();
        let mut nodes = BTreeMap::new();
        for (path, content) in &request.extra_sources {
            nodes.insert(path.clone(), Node::File { digest: batch.put(content.as_bytes(), false)?, executable: false });
        }
        batch.commit()?;
        if request.include_sources {
            warn_of_loose_files(planner, request.target, closure);
            let sources = planner.session.services.open_sources()?;
            for (file, node) in sources.nodes(self.packaged_files(target))? {
                let root = self.roots.find_for_file(file);
                let missing = || Error::NoSourceRoot { target: target.clone(), file: file.clone() };
                let path = root.and_then(|root| file.strip_prefix(&root)).ok_or_else(missing)?;
                let node = node?;
                if nodes.insert(path.clone(), node.clone()).is_some_and(|other| other != node) {
                    let file = file.to_string();
                    return Err(Error::SamePath { target: target.clone(), path, file }.into());
                }
            }
        }
        Ok(store.put_tree_lazily(&Tree { nodes })?)
    }

    /// The sources and resources of a program, with every `__init__.py` above them.
    pub(super) fn packaged_files(&self, program: &Address) -> Vec<&RelPath> {
        let mut members = self.dependencies.transitive_without_special(std::slice::from_ref(program));
        members.retain(|member| self.graph.get(member).is_some_and(|target| target.kind != "file"));
        self.closures.own_files(&members)
    }

    /// The files of the field `complete_platforms`, and the platforms of the field `platforms`.
    pub(super) fn target_platforms(
        &self,
        planner: &Planner<'_>,
        target: &Target,
    ) -> Result<Vec<TargetPlatform>, PrepareError> {
        let mut platforms = Vec::new();
        for file in self.files_in_field(target, "complete_platforms")? {
            let path = file.to_path(planner.session.build_root());
            let text = planner.session.context.tracker.read_to_string(&path).unwrap_or_default();
            let failed = |source| Error::Platform { target: target.address.clone(), named: file.to_string(), source };
            platforms.push(TargetPlatform::parse(&text).map_err(failed)?);
        }
        for named in target.strings("platforms") {
            let parsed = TargetPlatform::parse_abbreviated(named);
            let failed = |source| Error::Platform { target: target.address.clone(), named: named.to_owned(), source };
            platforms.push(parsed.map_err(failed)?);
        }
        Ok(platforms)
    }

    /// The source files of the targets in a field.
    fn files_in_field(&self, target: &Target, field: &str) -> Result<Vec<RelPath>, PrepareError> {
        let targets = self.targets_in_field(target, field)?;
        Ok(targets.into_iter().flat_map(|target| target.sources.clone()).collect())
    }

    /// The targets that a field lists. Generators are replaced by the targets that they generate.
    pub(super) fn targets_in_field(&self, target: &Target, field: &str) -> Result<Vec<&Target>, PrepareError> {
        let listed = explicit_in_field(self.graph, target, field);
        if let Some(source) = listed.errors.into_iter().next() {
            return Err(Error::Address { target: target.address.clone(), source }.into());
        }
        Ok(listed.include.iter().filter_map(|address| self.graph.get(address)).collect())
    }
}

impl Planner<'_> {
    /// The steps whose output trees contain the wheel files of requirements, for each platform, or for the interpreter if there
    /// are no platforms.
    fn wheel_files(
        &mut self,
        constraints: &[String],
        wanted: &requirements::Wanted,
        platforms: &[TargetPlatform],
    ) -> Result<BTreeSet<StepId>, PrepareError> {
        let own = self.environment(constraints)?;
        let environments = platforms.iter().map(|platform| platform.environment.clone());
        let environments = if platforms.is_empty() { vec![own] } else { environments.collect() };
        let mut steps = BTreeSet::new();
        for environment in environments {
            let chosen = self.select_packages(constraints, wanted, false, &environment)?;
            let distributions = match platforms.is_empty() {
                true => self.distributions_of(constraints, &chosen)?,
                false => crate::prepare::packages::Packages::new(self.session, environment)?.distributions(&chosen)?,
            };
            self.plan_builds(constraints, &chosen, &distributions)?;
            let venvs = &mut found(&mut self.interpreters, constraints)?.venvs;
            let file = |distribution: &Distribution| venvs.wheel_file(&mut self.actions, distribution);
            steps.extend(distributions.iter().map(file).collect::<Vec<_>>());
        }
        Ok(steps)
    }

    /// A venv image that contains the pinned Pex and nothing else.
    fn pex_image(&mut self, constraints: &[String]) -> Result<Source, PrepareError> {
        let interpreter = found(&mut self.interpreters, constraints)?;
        let distributions = built_in(&interpreter.packages, "Pex", tools::PEX_LOCK)?;
        Ok(Source::Output(interpreter.venvs.compose(&mut self.actions, &distributions)))
    }
}

/// A step that computes a tree from others.
fn derive(planner: &mut Planner<'_>, label: &str, recipe: &'static str, parts: Vec<Source>) -> Source {
    let (label, parameters) = (label.to_owned(), Vec::new());
    Source::Output(planner.actions.add(Step::Derive(Derive { label, recipe, parameters, parts })))
}

fn platform_tree(
    planner: &mut Planner<'_>,
    platforms: &[TargetPlatform],
) -> Result<Option<(Source, usize)>, PrepareError> {
    if platforms.is_empty() {
        return Ok(None);
    }
    let store = planner.session.services.open_store()?;
    let batch = store.batch();
    let mut nodes = BTreeMap::new();
    for (number, platform) in platforms.iter().enumerate() {
        let digest = batch.put(platform.text.as_bytes(), false)?;
        nodes.insert(RelPath::parse(&platform_file(number))?, Node::File { digest, executable: false });
    }
    batch.commit()?;
    Ok(Some((Source::Tree(store.put_tree_lazily(&Tree { nodes })?), platforms.len())))
}

fn refuse_unsupported(planner: &Planner<'_>, target: &Target, closure: &Closure<'_>) -> Result<(), PrepareError> {
    let target = target.address.clone();
    let python = crate::config::typed::PythonSettings::parse(planner.config());
    if !python.enable_resolves {
        return Ok(());
    }
    if let Some(resolve) = closure.resolves.iter().find(|resolve| !python.resolves.contains_key(**resolve)) {
        let known = python.resolves.keys().cloned().collect();
        let unknown =
            requirements::Error::UnknownResolve { by: target.to_string(), resolve: resolve.to_string(), known };
        return Err(unknown.into());
    }
    if closure.resolves.len() > 1 {
        let resolves = closure.resolves.iter().map(ToString::to_string).collect();
        return Err(Error::SeveralResolves { target, resolves }.into());
    }
    Ok(())
}

fn warn_of_loose_files(planner: &mut Planner<'_>, target: &Target, closure: &Closure<'_>) {
    if closure.loose.is_empty() {
        return;
    }
    let files: Vec<String> = closure.loose.iter().map(|address| format!("`{address}`")).collect();
    let warning = format!(
        "{} depends on files, which a `{}` does not contain: {}",
        target.address,
        target.kind,
        files.join(", ")
    );
    if planner.warned.insert(warning.clone()) {
        let hint =
            "declare them as `resource` to load them as package data, or add them to an `archive` with the program";
        planner.session.ui.warn_with_hint(&warning, hint);
    }
}
