//! What of a lock a step needs: from requirements along the lock's edges to packages, and for each the best file for
//! one environment. The versions were settled when the lock was made: nothing is searched here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uv_distribution_filename::{DistFilename, WheelFilename};
use uv_normalize::{ExtraName, PackageName};
use uv_pep440::Version;
use uv_platform_tags::{TagCompatibility, Tags};

use crate::packaging::environment::Environment;
use crate::packaging::lockfile::{Artifact, Lock, Package};
use crate::packaging::requirement::{Requirement, admits};

/// A package that is to be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    pub name: PackageName,
    pub version: Version,
    pub pick: Pick,
    /// The label of the lock it was found in.
    pub lock: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    Wheel(Artifact),
    /// No wheel fits: this has to be built.
    Sdist(Artifact),
    /// The lock names hashes only: the index's listing tells which file fits, see `index::locate`.
    Listed(Vec<String>),
}

/// What one lock chose and another had already settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadowed {
    pub kept: Chosen,
    pub dropped: Chosen,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("{lock} was made for Python {locked}, not for {python}")]
    Python { lock: String, locked: String, python: Version },
    #[error("{lock} does not hold `{requirement}`{}: {}", by(required_by), offer(locked))]
    NotLocked { lock: String, requirement: String, required_by: Option<String>, locked: Vec<String> },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    NoFile(Vec<NoFile>),
}

impl Error {
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Python { .. } => "make the lock for these interpreter constraints: run `generate-lockfiles`",
            Error::NotLocked { .. } => "run `generate-lockfiles` so that the lock holds what the BUILD files ask for",
            Error::NoFile(_) => {
                "lock a version that has a file for this interpreter, or change the interpreter constraints"
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{lock}: `{name}` {version} has no file for {wanted}: {why}")]
pub struct NoFile {
    pub lock: String,
    pub name: PackageName,
    pub version: Version,
    /// The interpreter's own tag.
    pub wanted: String,
    pub why: String,
}

/// What these requirements need, sorted by name. A lock without edges is taken whole, since it cannot be cut.
pub fn resolve(lock: &Lock, requirements: &[Requirement], environment: &Environment) -> Result<Vec<Chosen>, Error> {
    let mut walk = Walk::new(lock, environment)?;
    for requirement in requirements {
        walk.require(requirement, &[], None)?;
    }
    if !lock.has_edges {
        walk.take_all();
    }
    walk.follow_edges()?;
    pick_files(&walk)
}

/// Everything that the lock was made for, as far as it holds for this environment.
pub fn resolve_whole(lock: &Lock, environment: &Environment) -> Result<Vec<Chosen>, Error> {
    if lock.has_edges && !lock.roots.is_empty() {
        return resolve(lock, &lock.roots, environment);
    }
    let mut walk = Walk::new(lock, environment)?;
    walk.take_all();
    pick_files(&walk)
}

/// Both, sorted by name; where both have a package, the first one's version stands (a tool's lock before the user's).
pub fn combine(first: Vec<Chosen>, second: Vec<Chosen>) -> (Vec<Chosen>, Vec<Shadowed>) {
    let mut all: BTreeMap<PackageName, Chosen> =
        first.into_iter().map(|chosen| (chosen.name.clone(), chosen)).collect();
    let mut shadowed = Vec::new();
    for chosen in second {
        match all.get(&chosen.name) {
            None => drop(all.insert(chosen.name.clone(), chosen)),
            Some(kept) if kept.version == chosen.version => {}
            Some(kept) => shadowed.push(Shadowed { kept: kept.clone(), dropped: chosen }),
        }
    }
    (all.into_values().collect(), shadowed)
}

struct Walk<'a> {
    lock: &'a Lock,
    environment: &'a Environment,
    /// The entries that hold in this environment.
    entries: BTreeMap<&'a PackageName, Vec<&'a Package>>,
    chosen: BTreeMap<&'a PackageName, &'a Package>,
    /// Packages whose edges are still to be followed, each alone and with each extra that was asked for.
    ahead: Vec<(&'a Package, Option<ExtraName>)>,
    seen: BTreeSet<(&'a PackageName, Option<ExtraName>)>,
}

impl<'a> Walk<'a> {
    fn new(lock: &'a Lock, environment: &'a Environment) -> Result<Walk<'a>, Error> {
        let python = environment.python();
        if !lock.requires_python.is_empty() && !lock.requires_python.iter().any(|admitted| admitted.contains(python)) {
            let locked: Vec<String> = lock.requires_python.iter().map(ToString::to_string).collect();
            return Err(Error::Python {
                lock: lock.label.clone(),
                locked: locked.join(" or "),
                python: python.clone(),
            });
        }
        let mut entries: BTreeMap<&PackageName, Vec<&Package>> = BTreeMap::new();
        for package in lock.packages.iter().filter(|package| holds(package, environment)) {
            entries.entry(&package.name).or_default().push(package);
        }
        let (chosen, ahead, seen) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        Ok(Walk { lock, environment, entries, chosen, ahead, seen })
    }

    fn require(&mut self, requirement: &Requirement, extras: &[ExtraName], by: Option<&Package>) -> Result<(), Error> {
        let skipped = by.is_some() && self.lock.excluded.contains(&requirement.name);
        if skipped || !requirement.marker.evaluate(self.environment.markers(), extras) {
            return Ok(());
        }
        let package = self.entry(requirement, by)?;
        self.chosen.insert(&package.name, package);
        let asked = requirement.extras.iter().cloned().map(Some);
        for extra in std::iter::once(None).chain(asked) {
            if self.seen.insert((&package.name, extra.clone())) {
                self.ahead.push((package, extra));
            }
        }
        Ok(())
    }

    /// What users ask for must be satisfied. Between locked packages the lock's word stands, since overrides may have
    /// settled another version than they ask for; their specifiers only tell apart entries of one name.
    fn entry(&self, requirement: &Requirement, by: Option<&Package>) -> Result<&'a Package, Error> {
        let entries = self.entries.get(&requirement.name).map(Vec::as_slice).unwrap_or_default();
        let fits = |package: &&&Package| admits(requirement, &package.version) || (by.is_some() && entries.len() == 1);
        let settled = self.chosen.get(&requirement.name).filter(fits).copied();
        let best = || entries.iter().filter(fits).max_by_key(|package| &package.version).copied();
        settled.or_else(best).ok_or_else(|| Error::NotLocked {
            lock: self.lock.label.clone(),
            requirement: requirement.to_string(),
            required_by: by.map(|package| package.name.to_string()),
            locked: self.all_entries(&requirement.name),
        })
    }

    fn all_entries(&self, name: &PackageName) -> Vec<String> {
        let packages = self.lock.packages.iter().filter(|package| package.name == *name);
        packages.map(|package| format!("{name} {}", package.version)).collect()
    }

    fn follow_edges(&mut self) -> Result<(), Error> {
        while let Some((package, extra)) = self.ahead.pop() {
            for requirement in &package.requires {
                self.require(requirement, extra.as_slice(), Some(package))?;
            }
        }
        Ok(())
    }

    fn take_all(&mut self) {
        for (name, packages) in &self.entries {
            let newest = packages.iter().max_by_key(|package| &package.version);
            self.chosen.extend(newest.map(|package| (*name, *package)));
        }
    }
}

fn holds(package: &Package, environment: &Environment) -> bool {
    let platform = package.platform_tag.as_ref().map(|tag| WheelFilename::from_stem(&format!("any-0-{tag}")));
    package.marker.evaluate_pep751(environment.markers(), &[], &[])
        && package.requires_python.as_ref().is_none_or(|admitted| admitted.contains(environment.python()))
        && platform.is_none_or(|name| name.is_ok_and(|name| name.is_compatible(environment.tags())))
}

fn pick_files(walk: &Walk<'_>) -> Result<Vec<Chosen>, Error> {
    let mut chosen = Vec::new();
    let mut missing = Vec::new();
    for package in walk.chosen.values() {
        match pick(package, walk.environment.tags()) {
            Ok(pick) => chosen.push(Chosen {
                name: package.name.clone(),
                version: package.version.clone(),
                pick,
                lock: walk.lock.label.clone(),
            }),
            Err(why) => missing.push(NoFile {
                lock: walk.lock.label.clone(),
                name: package.name.clone(),
                version: package.version.clone(),
                wanted: walk.environment.wanted(),
                why,
            }),
        }
    }
    if missing.is_empty() { Ok(chosen) } else { Err(Error::NoFile(missing)) }
}

fn pick(package: &Package, tags: &Tags) -> Result<Pick, String> {
    let named = |artifact: &Artifact| artifact.file_name.clone();
    if !package.artifacts.is_empty() && package.artifacts.iter().all(|artifact| artifact.file_name.is_none()) {
        return Ok(Pick::Listed(package.artifacts.iter().map(|artifact| artifact.sha256.clone()).collect()));
    }
    let names: Vec<String> = package.artifacts.iter().filter_map(named).collect();
    let artifact =
        |name: &str| package.artifacts.iter().find(|artifact| artifact.file_name.as_deref() == Some(name)).cloned();
    match best_file(&package.name, names.iter().map(String::as_str), tags) {
        Some((name, true)) => artifact(name).map(Pick::Wheel),
        Some((name, false)) => artifact(name).map(Pick::Sdist),
        None => None,
    }
    .ok_or_else(|| match &package.unavailable {
        Some(why) => why.clone(),
        None if names.is_empty() => "the lock lists none".to_owned(),
        None => format!("the lock lists `{}`", names.join("`, `")),
    })
}

/// The wheel with the best tags, the highest build number among equals; else a source distribution. With whether it
/// is a wheel.
pub(super) fn best_file<'a>(
    package: &PackageName,
    names: impl Iterator<Item = &'a str>,
    tags: &Tags,
) -> Option<(&'a str, bool)> {
    let mut wheels = Vec::new();
    let mut sdists = Vec::new();
    for name in names {
        match DistFilename::try_from_filename(name, package) {
            Some(DistFilename::WheelFilename(wheel)) => {
                if let TagCompatibility::Compatible(priority) = wheel.compatibility(tags) {
                    wheels.push((priority, wheel.build_tag().cloned(), name));
                }
            }
            Some(DistFilename::SourceDistFilename(_)) => sdists.push(name),
            None => {}
        }
    }
    let wheel = wheels.into_iter().max().map(|(_, _, name)| (name, true));
    // `.tar.gz` sorts before `.zip`, and is what build tools have written for years.
    wheel
        .or_else(|| sdists.into_iter().min_by_key(|name| (!name.ends_with(".tar.gz"), *name)).map(|name| (name, false)))
}

fn by(required_by: &Option<String>) -> String {
    required_by.as_ref().map(|package| format!(", which `{package}` requires")).unwrap_or_default()
}

fn offer(locked: &[String]) -> String {
    if locked.is_empty() { "it has no such package".to_owned() } else { format!("it has `{}`", locked.join("`, `")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packaging::lockfile;
    use crate::packaging::requirement::parse;

    /// `name version | requirement, requirement | file, file`, a line each.
    fn lock(packages: &str) -> Lock {
        let quoted = |texts: &str| -> Vec<String> {
            texts.split(", ").map(str::trim).filter(|text| !text.is_empty()).map(|text| format!("\"{text}\"")).collect()
        };
        let entries = packages.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
            let parts: Vec<&str> = line.split('|').map(str::trim).collect();
            let (name, version) = parts[0].split_once(' ').expect("name and version");
            let files = quoted(parts[2]).into_iter().map(|file| {
                let url = file.replacen('"', "\"https://example.invalid/", 1);
                format!("{{\"algorithm\": \"sha256\", \"hash\": \"{}\", \"url\": {url}}}", "0a".repeat(32))
            });
            format!(
                "{{\"project_name\": \"{name}\", \"version\": \"{version}\", \"requires_dists\": [{}], \"artifacts\": [{}]}}",
                quoted(parts[1]).join(","),
                files.collect::<Vec<_>>().join(",")
            )
        });
        let entries: Vec<String> = entries.collect();
        let text = format!(
            "{{\"requires_python\": [\">=3.9\"], \"locked_resolves\": [{{\"locked_requirements\": [{}]}}]}}",
            entries.join(",")
        );
        lockfile::parse("a.lock", &text, None).expect("lock")
    }

    fn environment(python: &str) -> Environment {
        Environment::linux_x86_64(python, (2, 36)).expect("version")
    }

    fn names(packages: &str, roots: &[&str], python: &str) -> Result<Vec<String>, String> {
        let roots: Vec<Requirement> = roots.iter().map(|text| parse(text).expect("requirement")).collect();
        let chosen = resolve(&lock(packages), &roots, &environment(python)).map_err(|error| error.to_string())?;
        Ok(chosen.iter().map(|chosen| format!("{} {}", chosen.name, chosen.version)).collect())
    }

    fn file(files: &str, python: &str) -> Result<Pick, String> {
        let roots = [parse("a").expect("requirement")];
        let chosen = resolve(&lock(&format!("a 1 | | {files}")), &roots, &environment(python));
        chosen.map(|chosen| chosen[0].pick.clone()).map_err(|error| error.to_string())
    }

    const GRAPH: &str = "
        app 1 | lib[fast]>=1, old; python_version < '3.10', win; sys_platform == 'win32' | app-1-py3-none-any.whl
        lib 2 | app, speed; extra == 'fast', docs; extra == 'docs' | lib-2-py3-none-any.whl
        old 1 | | old-1-py3-none-any.whl
        speed 3 | | speed-3-py3-none-any.whl
        unrelated 1 | | unrelated-1-py3-none-any.whl";

    #[test]
    fn edges_are_followed_under_markers_and_extras_and_around_cycles() {
        assert_eq!(names(GRAPH, &["app"], "3.12.1"), Ok(vec!["app 1".into(), "lib 2".into(), "speed 3".into()]));
        assert_eq!(names(GRAPH, &["lib"], "3.9.1").map(|names| names.contains(&"old 1".to_owned())), Ok(true));
        assert_eq!(names(GRAPH, &["lib; python_version < '3'"], "3.12.1"), Ok(vec![]));
    }

    #[test]
    fn what_the_lock_does_not_hold_is_named_with_who_wants_it() {
        let check =
            |roots: &[&str], expected: &str| assert_eq!(names(GRAPH, roots, "3.12.1"), Err(expected.to_owned()));
        check(&["flask>=2"], "a.lock does not hold `flask>=2`: it has no such package");
        check(&["lib>=3"], "a.lock does not hold `lib>=3`: it has `lib 2`");
        check(
            &["lib[docs]"],
            "a.lock does not hold `docs ; extra == 'docs'`, which `lib` requires: it has no such package",
        );
    }

    #[test]
    fn an_interpreter_that_the_lock_was_not_made_for_is_refused() {
        assert_eq!(names(GRAPH, &["app"], "3.8.18"), Err("a.lock was made for Python >=3.9, not for 3.8.18".into()));
    }

    #[test]
    fn the_wheel_with_the_best_tags_is_picked() {
        let files = "a-1.tar.gz, a-1-py3-none-any.whl, a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl, \
                     a-1-cp312-cp312-manylinux_2_39_x86_64.whl, a-1-cp312-cp312-musllinux_1_1_x86_64.whl, \
                     a-1-cp39-abi3-manylinux2014_x86_64.whl";
        let check = |python: &str, expected: &str| match file(files, python) {
            Ok(Pick::Wheel(artifact)) => assert_eq!(artifact.file_name.as_deref(), Some(expected), "{python}"),
            other => panic!("{python}: {other:?}"),
        };
        check("3.12.1", "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl");
        check("3.11.2", "a-1-cp39-abi3-manylinux2014_x86_64.whl");
    }

    #[test]
    fn a_source_distribution_is_the_last_resort() {
        let pick = file("a-1-cp39-cp39-win_amd64.whl, a-1.zip, a-1.tar.gz", "3.12.1").expect("sdist");
        assert!(matches!(pick, Pick::Sdist(artifact) if artifact.file_name.as_deref() == Some("a-1.tar.gz")));
    }

    #[test]
    fn without_a_file_that_fits_the_message_lists_what_there_is() {
        assert_eq!(
            file("a-1-cp39-cp39-win_amd64.whl", "3.12.1"),
            Err("a.lock: `a` 1 has no file for cp312-cp312-manylinux_2_36_x86_64 or anything older or more general: \
                 the lock lists `a-1-cp39-cp39-win_amd64.whl`"
                .into())
        );
    }

    #[test]
    fn of_two_locks_the_first_ones_version_stands() {
        let all = |packages: &str| resolve_whole(&lock(packages), &environment("3.12.1")).expect("chosen");
        let (chosen, shadowed) =
            combine(all("a 2 | | a-2-py3-none-any.whl"), all(&format!("a 1 | | a-1-py3-none-any.whl\n{GRAPH}")));
        assert_eq!(chosen[0].version.to_string(), "2");
        assert_eq!(shadowed[0].dropped.version.to_string(), "1");
        assert_eq!(chosen.len(), 6);
    }
}
