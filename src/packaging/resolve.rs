//! Selects the locked packages that a step needs: follows requirements through the lockfile, and chooses the best file of
//! each package for one environment. Versions are pinned by the lockfile; nothing is resolved again here.

mod project;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uv_distribution_filename::{DistFilename, WheelFilename};
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::Version;
use uv_platform_tags::TagCompatibility;

use crate::packaging::environment::Environment;
use crate::packaging::lockfile::projects::{Part, encode};
use crate::packaging::lockfile::{Artifact, GitSource, Inputs, Lock, Package, Staleness, Unavailable};
use crate::packaging::requirement::{Requirement, allows_version, canonical};

pub use project::{ProjectPackages, declared, is_for_tests, resolve_project, visible};

/// A package to be installed. Serialized selections are cached in the store, so their field names must not change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedPackage {
    /// The normalized name.
    pub name: PackageName,
    /// The locked version.
    pub version: Version,
    /// The file to be installed.
    #[serde(rename = "pick")]
    pub artifact: ArtifactChoice,
    /// The label of the lockfile.
    pub lock: String,
}

/// The file of a package that is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArtifactChoice {
    /// A compatible wheel.
    Wheel(Artifact),
    /// No wheel is compatible: a source distribution that has to be built.
    Sdist(Artifact),
    /// The lockfile contains only hashes, in hexadecimal digits. `index::locate` finds the file.
    #[serde(rename = "Listed")]
    Hashes(Vec<String>),
    /// A commit from which the package is built.
    Git(GitSource),
}

/// Two lockfiles pin different versions of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionConflict {
    /// The version that is installed.
    pub kept: SelectedPackage,
    /// The version that is ignored.
    pub dropped: SelectedPackage,
}

/// Why the packages cannot be selected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The lockfile does not support the interpreter.
    #[error("{lock} was generated for Python {locked}, not for {python}")]
    Python {
        /// The label of the lockfile.
        lock: String,
        /// The supported versions.
        locked: String,
        /// The version of the interpreter.
        python: Version,
    },
    /// The lockfile contains no package that satisfies a requirement.
    #[error("{lock} does not contain `{requirement}`{}: {}", describe_dependent(required_by), describe_locked(locked))]
    NotLocked {
        /// The label of the lockfile.
        lock: String,
        /// The requirement.
        requirement: String,
        /// The locked package that has the requirement, if it is not one of the targets.
        required_by: Option<String>,
        /// The locked packages of that name.
        locked: Vec<String>,
    },
    /// Packages without a compatible file.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    NoFile(Vec<NoFile>),
}

impl Error {
    /// What the user can do about the error.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Python { .. } => "run `generate-lockfiles` to lock packages for these interpreter constraints",
            Error::NotLocked { .. } => {
                "run `generate-lockfiles` so that the lockfile contains all requirements of the BUILD files"
            }
            Error::NoFile(missing) if missing.iter().any(|missing| missing.is_local) => {
                "publish the package to an index or use a URL with a hash, and lock again; tests of projects that do not require it run"
            }
            Error::NoFile(_) => {
                "lock a version that has a file for this interpreter, or change the interpreter constraints"
            }
        };
        Some(hint.to_owned())
    }
}

/// A locked package without a compatible file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{lock}: `{name}` {version} {}{why}", if *is_local { String::new() } else { format!("has no file that is compatible with {tag}: ") })]
pub struct NoFile {
    /// The label of the lockfile, with a place if the package has no file for any interpreter.
    pub lock: String,
    /// Whether the lockfile lists no files because the package comes from version control or from a directory.
    pub is_local: bool,
    /// The package.
    pub name: PackageName,
    /// Its locked version.
    pub version: Version,
    /// The most specific wheel tag of the interpreter.
    pub tag: String,
    /// The files in the lockfile, or why there are none.
    pub why: String,
}

/// Selects the packages that satisfy these requirements and all their dependencies, sorted by name. A lockfile without
/// dependency information is used completely.
pub fn resolve(
    lock: &Lock,
    requirements: &[Requirement],
    environment: &Environment,
) -> Result<Vec<SelectedPackage>, Error> {
    let mut traversal = LockTraversal::new(lock, environment)?;
    for requirement in requirements {
        traversal.require(requirement, &[], None)?;
    }
    if !lock.has_edges {
        traversal.select_all();
    }
    traversal.follow_edges()?;
    choose_artifacts(&traversal)
}

/// Selects all packages of the lockfile that apply to this environment.
pub fn resolve_whole(lock: &Lock, environment: &Environment) -> Result<Vec<SelectedPackage>, Error> {
    if lock.has_edges && !lock.roots.is_empty() {
        return resolve(lock, &lock.roots, environment);
    }
    let mut traversal = LockTraversal::new(lock, environment)?;
    traversal.select_all();
    choose_artifacts(&traversal)
}

/// The reasons why the lockfile is stale for these requirements: its metadata contains other inputs, or it contains no
/// version that satisfies a requirement.
pub fn staleness(
    lock: &Lock,
    requirements: &[Requirement],
    inputs: &Inputs,
    environment: &Environment,
) -> Result<Vec<Staleness>, Error> {
    let metadata = lock.metadata.as_ref();
    let mut stale = metadata.map(|metadata| metadata.staleness(requirements, inputs)).unwrap_or_default();
    let mut traversal = LockTraversal::new(lock, environment)?;
    for requirement in requirements {
        let is_reported = stale.contains(&Staleness::Requirement(canonical(requirement)));
        if !is_reported && traversal.require(requirement, &[], None).is_err() {
            let locked = traversal.locked_versions(&requirement.name);
            stale.push(Staleness::Unsatisfied { requirement: canonical(requirement), locked });
        }
    }
    Ok(stale)
}

/// Merges two selections, sorted by name. If both contain a package, the version of the first one is kept: the lockfile of
/// a tool takes precedence over the user's.
pub fn combine(
    first: Vec<SelectedPackage>,
    second: Vec<SelectedPackage>,
) -> (Vec<SelectedPackage>, Vec<VersionConflict>) {
    let mut all: BTreeMap<PackageName, SelectedPackage> =
        first.into_iter().map(|package| (package.name.clone(), package)).collect();
    let mut conflicts = Vec::new();
    for package in second {
        match all.get(&package.name) {
            None => drop(all.insert(package.name.clone(), package)),
            Some(kept) if kept.version == package.version => {}
            Some(kept) => conflicts.push(VersionConflict { kept: kept.clone(), dropped: package }),
        }
    }
    (all.into_values().collect(), conflicts)
}

struct LockTraversal<'a> {
    lock: &'a Lock,
    environment: &'a Environment,
    /// The entries that apply to this environment.
    entries: BTreeMap<&'a PackageName, Vec<&'a Package>>,
    selected: BTreeMap<&'a PackageName, &'a Package>,
    /// What is not followed yet.
    pending: Vec<Pending<'a>>,
    seen: BTreeSet<(&'a PackageName, Option<ExtraName>)>,
    /// The parts of projects that are active, as the markers of a lockfile with conflicts write them.
    active: Vec<ExtraName>,
    /// Those that requirements activated on the way.
    activated: BTreeSet<ExtraName>,
}

/// A package or project whose dependencies are not followed yet, without extras or with one of the requested extras.
struct Pending<'a> {
    name: &'a PackageName,
    requires: &'a [Requirement],
    extra: Option<ExtraName>,
}

impl<'a> LockTraversal<'a> {
    fn new(lock: &'a Lock, environment: &'a Environment) -> Result<LockTraversal<'a>, Error> {
        let python = environment.python();
        if !lock.requires_python.is_empty() && !lock.requires_python.iter().any(|allowed| allowed.contains(python)) {
            let locked: Vec<String> = lock.requires_python.iter().map(ToString::to_string).collect();
            return Err(Error::Python {
                lock: lock.label.clone(),
                locked: locked.join(" or "),
                python: python.clone(),
            });
        }
        let mut entries: BTreeMap<&PackageName, Vec<&Package>> = BTreeMap::new();
        for package in lock.packages.iter().filter(|package| applies_to(package, environment)) {
            entries.entry(&package.name).or_default().push(package);
        }
        let (selected, pending, seen) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        let (active, activated) = (Vec::new(), BTreeSet::new());
        Ok(LockTraversal { lock, environment, entries, selected, pending, seen, active, activated })
    }

    fn require(
        &mut self,
        requirement: &Requirement,
        extras: &[ExtraName],
        by: Option<&PackageName>,
    ) -> Result<(), Error> {
        let skipped = by.is_some() && self.lock.excluded.contains(&requirement.name);
        let extras = [extras, &self.active].concat();
        if skipped || !requirement.marker.evaluate(self.environment.markers(), &extras) {
            return Ok(());
        }
        // The code of a project comes from the repository, and only what it requires is selected.
        let project = self.lock.projects.named(&requirement.name);
        let (name, requires) = match project.and_then(|project| Some((project.name.as_ref()?, &project.requires))) {
            Some(project) => project,
            None => {
                let package = self.find_entry(requirement, by)?;
                self.selected.insert(&package.name, package);
                (&package.name, &package.requires)
            }
        };
        for extra in std::iter::once(None).chain(requirement.extras.iter().cloned().map(Some)) {
            if project.is_some() {
                let part = extra.as_ref().map_or(Part::Project, |extra| Part::Extra(extra.as_ref()));
                self.activated.extend(encode(name.as_ref(), part));
            }
            if self.seen.insert((name, extra.clone())) {
                self.pending.push(Pending { name, requires, extra });
            }
        }
        Ok(())
    }

    /// Finds the entry for a requirement. Requirements of the user must be satisfied. Between locked packages the lockfile
    /// takes precedence, because overrides may pin a version that does not satisfy a specifier; there, specifiers only
    /// select between several entries of a package.
    fn find_entry(&self, requirement: &Requirement, by: Option<&PackageName>) -> Result<&'a Package, Error> {
        let entries = self.entries.get(&requirement.name).map(Vec::as_slice).unwrap_or_default();
        let matches =
            |package: &&&Package| allows_version(requirement, &package.version) || (by.is_some() && entries.len() == 1);
        let selected = self.selected.get(&requirement.name).filter(matches).copied();
        let newest = || entries.iter().filter(matches).max_by_key(|package| &package.version).copied();
        selected.or_else(newest).ok_or_else(|| Error::NotLocked {
            lock: self.lock.label.clone(),
            requirement: requirement.to_string(),
            required_by: by.map(ToString::to_string),
            locked: self.locked_versions(&requirement.name),
        })
    }

    fn locked_versions(&self, name: &PackageName) -> Vec<String> {
        let packages = self.lock.packages.iter().filter(|package| package.name == *name);
        packages.map(|package| format!("{name} {}", package.version)).collect()
    }

    fn follow_edges(&mut self) -> Result<(), Error> {
        while let Some(Pending { name, requires, extra }) = self.pending.pop() {
            for requirement in requires {
                self.require(requirement, extra.as_slice(), Some(name))?;
            }
        }
        Ok(())
    }

    fn select_all(&mut self) {
        for (name, packages) in &self.entries {
            let newest = packages.iter().max_by_key(|package| &package.version);
            self.selected.extend(newest.map(|package| (*name, *package)));
        }
    }
}

fn applies_to(package: &Package, environment: &Environment) -> bool {
    let platform = package.platform_tag.as_ref().map(|tag| WheelFilename::from_stem(&format!("any-0-{tag}")));
    package.marker.evaluate_pep751(environment.markers(), &[], &[])
        && package.requires_python.as_ref().is_none_or(|allowed| allowed.contains(environment.python()))
        && platform.is_none_or(|name| name.is_ok_and(|name| name.is_compatible(environment.tags())))
}

fn choose_artifacts(traversal: &LockTraversal<'_>) -> Result<Vec<SelectedPackage>, Error> {
    let (selected, missing) = choose_files(traversal);
    if missing.is_empty() { Ok(selected) } else { Err(Error::NoFile(missing)) }
}

/// The files of the selected packages, and the packages without one.
fn choose_files(traversal: &LockTraversal<'_>) -> (Vec<SelectedPackage>, Vec<NoFile>) {
    let mut selected = Vec::new();
    let mut missing = Vec::new();
    for package in traversal.selected.values() {
        match choose_artifact(package, traversal.environment) {
            Ok(artifact) => selected.push(SelectedPackage {
                name: package.name.clone(),
                version: package.version.clone(),
                artifact,
                lock: label_of(traversal.lock, package),
            }),
            Err(why) => missing.push(NoFile {
                lock: label_of(traversal.lock, package),
                name: package.name.clone(),
                version: package.version.clone(),
                is_local: package.unavailable.is_some(),
                tag: traversal.environment.tag(),
                why,
            }),
        }
    }
    (selected, missing)
}

/// The name of a lockfile, with the place of a package that has no file for anybody.
fn label_of(lock: &Lock, package: &Package) -> String {
    let place = package.unavailable.as_ref().map(|unavailable| format!(":{}", unavailable.place));
    format!("{}{}", lock.label, place.unwrap_or_default())
}

/// Chooses the file of a package; the error says which files there are.
fn choose_artifact(package: &Package, environment: &Environment) -> Result<ArtifactChoice, String> {
    let named = |artifact: &Artifact| artifact.file_name.clone();
    if !package.artifacts.is_empty() && package.artifacts.iter().all(|artifact| artifact.file_name.is_none()) {
        return Ok(ArtifactChoice::Hashes(package.artifacts.iter().map(|artifact| artifact.sha256.clone()).collect()));
    }
    let names: Vec<String> = package.artifacts.iter().filter_map(named).collect();
    let artifact =
        |name: &str| package.artifacts.iter().find(|artifact| artifact.file_name.as_deref() == Some(name)).cloned();
    match best_file(&package.name, names.iter().map(String::as_str), environment) {
        Some((name, true)) => artifact(name).map(ArtifactChoice::Wheel),
        Some((name, false)) => artifact(name).map(ArtifactChoice::Sdist),
        None => None,
    }
    .or_else(|| package.git.clone().filter(|_| environment.allows_sdist(&package.name)).map(ArtifactChoice::Git))
    .ok_or_else(|| match &package.unavailable {
        Some(Unavailable { why, .. }) => why.clone(),
        None if names.is_empty() => "the lockfile lists no files".to_owned(),
        None => format!("the lockfile lists `{}`", names.join("`, `")),
    })
}

/// The best of some files, and whether it is a wheel: the wheel with the best tags and the highest build number, else a
/// source distribution.
pub(super) fn best_file<'a>(
    package: &PackageName,
    names: impl Iterator<Item = &'a str>,
    environment: &Environment,
) -> Option<(&'a str, bool)> {
    let mut wheels = Vec::new();
    let mut sdists = Vec::new();
    for name in names {
        match DistFilename::try_from_filename(name, package) {
            Some(DistFilename::WheelFilename(wheel)) if environment.allows_wheel(package) => {
                if let TagCompatibility::Compatible(priority) = wheel.compatibility(environment.tags()) {
                    wheels.push((priority, wheel.build_tag().cloned(), name));
                }
            }
            Some(DistFilename::SourceDistFilename(_)) if environment.allows_sdist(package) => sdists.push(name),
            _ => {}
        }
    }
    let wheel = wheels.into_iter().max().map(|(_, _, name)| (name, true));
    // `.tar.gz` is preferred to `.zip`, because current build tools write it.
    wheel
        .or_else(|| sdists.into_iter().min_by_key(|name| (!name.ends_with(".tar.gz"), *name)).map(|name| (name, false)))
}

fn describe_dependent(required_by: &Option<String>) -> String {
    required_by.as_ref().map(|package| format!(", which `{package}` requires")).unwrap_or_default()
}

fn describe_locked(locked: &[String]) -> String {
    match locked {
        [] => "it has no such package".to_owned(),
        locked => format!("it contains `{}`", locked.join("`, `")),
    }
}

#[cfg(test)]
mod tests;
