//! The images that a step's sandbox mounts: the system tree, the interpreter, and a venv of what its process may import. A
//! venv holds a tool's own packages, what the targets require, or both; where both have a package, the tool's is used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uv_normalize::PackageName;

use crate::action::{Source, StepId};
use crate::base::RelPath;
use crate::config::typed::{InvalidLockfile, PythonSettings, SystemSettings};
use crate::packaging::Environment;
use crate::packaging::lockfile::Lock;
use crate::packaging::resolve::{self, SelectedPackage, VersionConflict};
use crate::packaging::venv;
use crate::plan::requirements::{self, LockedPackages, Wanted};
use crate::plan::venv::Distribution;
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::error::STALE_LOCK_HINT;
use crate::prepare::interpreters::found;
use crate::prepare::locks;
use crate::prepare::packages::Packages;
use crate::session::memo::memoized;
use crate::session::toolchains;
use crate::tools::{self, Tool};

/// Trees by mount point.
pub type Images = BTreeMap<String, Source>;

/// What a process may import.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Importable {
    /// The scope of the tool.
    pub tool: Option<String>,
    /// What the targets require.
    pub wanted: Option<Wanted>,
    /// The directory of the project whose packages alone may be imported, if the lockfile has it.
    pub project: Option<RelPath>,
    /// Whether every package of the lockfile of `wanted` may be imported. If not, the settings decide.
    pub is_whole: bool,
    /// The name of additional packages, which `pin_packages` was given.
    pub pinned: Option<String>,
    /// The packages whose place projects of this repository take, even among those of the tool: one of the tool's own packages may be what
    /// is tested.
    pub replaced: BTreeSet<PackageName>,
    /// Whether pip may be imported, too: the pinned one if nothing else brings one along.
    pub has_pip: bool,
    /// Steps whose output trees are unpacked distributions of this repository.
    pub built: Vec<StepId>,
}

impl Planner<'_> {
    /// Everything that a sandbox holds besides its sources: system tree, interpreter, the tool and, where `wanted` is
    /// given, what the targets require.
    pub fn images(&mut self, constraints: &[String], tool: &Tool, wanted: Option<Wanted>) -> Result<Images, Error> {
        let importable = Importable { tool: Some(tool.scope.clone()), wanted, ..Importable::default() };
        self.images_of(constraints, importable)
    }

    /// Everything that a sandbox holds besides its sources: system tree, interpreter, and what its process may import.
    pub(super) fn images_of(&mut self, constraints: &[String], importable: Importable) -> Result<Images, Error> {
        let venv = self.venv_image(constraints, importable)?;
        let mut images = found(&mut self.interpreters, constraints)?.venvs.interpreter.images.clone();
        images.insert(venv::ROOT.to_owned(), venv);
        Ok(images)
    }

    /// An image of what the targets require, without any tool; it may be mounted anywhere. `pinned` names packages that
    /// `pin_packages` added for it.
    pub fn requirements_image(
        &mut self,
        constraints: &[String],
        wanted: Wanted,
        pinned: Option<String>,
    ) -> Result<Source, Error> {
        self.venv_image(constraints, Importable { wanted: Some(wanted), pinned, ..Importable::default() })
    }

    /// Images of the newest interpreter planned so far, with the tool's own packages alone: it can parse all sources.
    /// `None` if no interpreter was planned.
    pub fn newest_images(&mut self, tool: &Tool) -> Result<Option<Images>, Error> {
        let Some(constraints) = self.newest_constraints() else { return Ok(None) };
        self.images(&constraints, tool, None).map(Some)
    }

    /// A venv image of what a process may import.
    pub(super) fn venv_image(&mut self, constraints: &[String], importable: Importable) -> Result<Source, Error> {
        let key = (constraints.to_vec(), importable);
        if !self.venv_images.contains_key(&key) {
            let image = self.plan_venv(constraints, &key.1).map_err(Arc::new);
            self.venv_images.insert(key.clone(), image);
        }
        Ok(self.venv_images[&key].clone()?)
    }

    fn plan_venv(&mut self, constraints: &[String], importable: &Importable) -> Result<Source, Error> {
        let chosen = self.choose_packages(constraints, importable)?;
        self.compose_image(constraints, &importable.built, &chosen)
    }

    /// The packages that a process may import.
    pub(super) fn choose_packages(
        &mut self,
        constraints: &[String],
        importable: &Importable,
    ) -> Result<Vec<SelectedPackage>, Error> {
        let mut chosen = match importable.tool.as_deref().and_then(tools::named) {
            // The packages of the project include the tool.
            Some(tool) if importable.project.is_some() && self.is_of_resolve(&tool) => Vec::new(),
            Some(tool) => self.tool_packages(constraints, &tool)?,
            None => Vec::new(),
        };
        if let Some((wanted, project)) = importable.wanted.as_ref().zip(importable.project.as_ref()) {
            let seen = self.project_packages(constraints, wanted, project, importable.tool.as_deref())?;
            chosen = self.combine(chosen, seen);
        } else if let Some(wanted) = &importable.wanted {
            let required = self.required_packages(constraints, wanted, importable.is_whole)?;
            chosen = self.combine(chosen, required);
        }
        if let Some(name) = &importable.pinned {
            let pinned = self.tool_packages.get(&(constraints.to_vec(), name.clone())).cloned().transpose()?;
            chosen = self.combine(chosen, pinned.unwrap_or_default());
        }
        chosen.retain(|package| !importable.replaced.contains(&package.name));
        if importable.has_pip && !chosen.iter().any(|package| package.name.as_ref() == "pip") {
            let lock = requirements::parse_built_in("pip", tools::PIP_LOCK)?;
            let environment = self.environment(constraints)?;
            chosen.extend(resolve::resolve_whole(&lock, &environment).map_err(requirements::Error::from)?);
        }
        Ok(chosen)
    }

    /// An image of the distributions that the steps `built` unpack, and of these packages.
    pub(super) fn compose_image(
        &mut self,
        constraints: &[String],
        built: &[StepId],
        chosen: &[SelectedPackage],
    ) -> Result<Source, Error> {
        let distributions = self.plan_distributions(constraints, chosen)?;
        let venvs = &mut found(&mut self.interpreters, constraints)?.venvs;
        Ok(Source::Output(venvs.compose_with(&mut self.actions, built, &distributions)))
    }

    /// The files of these packages. Source distributions among them are built by steps, which are planned here.
    pub(super) fn plan_distributions(
        &mut self,
        constraints: &[String],
        chosen: &[SelectedPackage],
    ) -> Result<Vec<Distribution>, Error> {
        self.find_interpreter(constraints)?;
        let distributions = self.distributions_of(constraints, chosen)?;
        self.plan_builds(constraints, chosen, &distributions)?;
        Ok(distributions)
    }

    /// Plans the environments in which the source distributions among these are built. `distributions` are the files of
    /// `chosen`, in the same order.
    pub(super) fn plan_builds(
        &mut self,
        constraints: &[String],
        chosen: &[SelectedPackage],
        distributions: &[Distribution],
    ) -> Result<(), Error> {
        let settings = SystemSettings::parse(self.config());
        for (package, distribution) in chosen.iter().zip(distributions) {
            if distribution.is_wheel() {
                continue;
            }
            let packages = settings.build_packages(package.name.as_ref());
            let builder = match packages.is_empty() {
                true => None,
                false => toolchains::interpreter(&toolchains::ensure_with(self.session, constraints, &packages)?),
            };
            let interpreter = found(&mut self.interpreters, constraints)?;
            if !interpreter.venvs.has_build_backends() {
                interpreter.venvs.set_build_backends(builders(&interpreter.packages)?);
            }
            if let Some(builder) = builder {
                interpreter.venvs.set_builder(distribution, builder);
            }
        }
        Ok(())
    }

    /// The packages that requirements of targets resolve to. `is_whole`: all packages of the lockfile.
    fn required_packages(
        &mut self,
        constraints: &[String],
        wanted: &Wanted,
        is_whole: bool,
    ) -> Result<Vec<SelectedPackage>, Error> {
        let whole = is_whole || PythonSettings::parse(self.config()).run_against_entire_lockfile;
        let environment = self.environment(constraints)?;
        if is_whole && wanted.resolve.is_none() {
            let lock = self.repository_lock(constraints)?;
            return Ok(requirements::select_pinned_packages(&lock, wanted, true, &environment)?);
        }
        self.select_packages(constraints, wanted, whole, &environment)
    }

    /// The packages that requirements of targets resolve to on one platform; with `whole`, all packages of the lockfile.
    pub(super) fn select_packages(
        &mut self,
        constraints: &[String],
        wanted: &Wanted,
        whole: bool,
        environment: &Environment,
    ) -> Result<Vec<SelectedPackage>, Error> {
        if wanted.resolve.is_none() {
            if wanted.requirements.is_empty() {
                return Ok(Vec::new());
            }
            let lock = self.repository_lock(constraints)?;
            return Ok(requirements::select_pinned_packages(&lock, wanted, whole, environment)?);
        }
        let question = requirements::user_packages_key(&self.locks, wanted, whole, constraints, environment);
        let store = self.session.services.open_store()?;
        let locks = &mut self.locks;
        let resolve = || {
            let selected = requirements::select_user_packages(locks, wanted, whole, constraints, environment);
            Ok::<_, Error>(selected?)
        };
        let locked = memoized(&store, question, resolve)?;
        self.accept_lock(locked)
    }

    /// The packages of a lockfile. If the lockfile does not match its requirements any more, this is a warning or an error,
    /// as `[python] invalid_lockfile_behavior` says. If the user did not decide, it is an error where locks are frozen.
    pub(super) fn accept_lock(&mut self, locked: LockedPackages) -> Result<Vec<SelectedPackage>, Error> {
        let behavior = match PythonSettings::parse(self.config()).invalid_lockfile {
            InvalidLockfile::Unset if self.session.context.is_frozen() => InvalidLockfile::Error,
            behavior => behavior,
        };
        match behavior {
            InvalidLockfile::Error if !locked.stale.is_empty() => Err(Error::StaleLock { reasons: locked.stale }),
            InvalidLockfile::Ignore => Ok(locked.packages),
            _ => {
                for reason in locked.stale {
                    if self.warned.insert(reason.clone()) {
                        self.session.ui.warn_with_hint(&reason, STALE_LOCK_HINT);
                    }
                }
                Ok(locked.packages)
            }
        }
    }

    fn repository_lock(&mut self, constraints: &[String]) -> Result<Arc<Lock>, Error> {
        if !self.repository_locks.contains_key(constraints) {
            let lock = locks::repository_lock(self.session, constraints).map_err(Arc::new);
            self.repository_locks.insert(constraints.to_vec(), lock);
        }
        Ok(self.repository_locks[constraints].clone()?)
    }

    /// Both lists of packages; where both have a package, that of `first` is used, which is reported.
    fn combine(&mut self, first: Vec<SelectedPackage>, second: Vec<SelectedPackage>) -> Vec<SelectedPackage> {
        let (chosen, shadowed) = resolve::combine(first, second);
        for VersionConflict { kept, dropped } in shadowed {
            let (name, version, lock) = (&kept.name, &kept.version, &kept.lock);
            let warning = format!("`{name}` {version} from {lock} replaces {} from {}", dropped.version, dropped.lock);
            if self.warned.insert(warning.clone()) {
                self.session.ui.warn(&warning);
            }
        }
        chosen
    }
}

/// The packages that build source distributions. The built-in lock names their files, so no index is asked.
fn builders(packages: &Packages) -> Result<Vec<Distribution>, Error> {
    built_in(packages, "source distributions", tools::SDIST_LOCK)
}

/// The packages of a built-in lockfile.
pub(super) fn built_in(packages: &Packages, name: &str, lock: &str) -> Result<Vec<Distribution>, Error> {
    let lock = requirements::parse_built_in(name, lock)?;
    let chosen = resolve::resolve_whole(&lock, packages.environment()).map_err(requirements::Error::from)?;
    packages.distributions(&chosen)
}
