//! The options that loading depends on, with Pants' defaults for those that nobody set.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::build_file::Severity;
use crate::config::Config;

const VISIBILITY: [&str; 2] = ["pants.backend.experimental.visibility", "pants.backend.visibility"];

#[derive(Clone, Debug)]
pub struct Settings {
    pub pants_ignore: Vec<String>,
    pub use_gitignore: bool,
    pub build_patterns: Vec<String>,
    pub build_ignore: Vec<String>,
    pub prelude_globs: Vec<String>,
    /// Name to lockfile, where resolves are enabled.
    pub resolves: BTreeMap<String, String>,
    pub default_resolve: String,
    pub lockfile_targets: bool,
    pub pants_version: Option<String>,
    /// Whether the backend is in use that gives visibility rules their meaning.
    pub visibility: bool,
    /// The generators whose files depend on each other, since what they import is not looked at.
    pub siblings: Vec<&'static str>,
    /// How much it matters that a BUILD file names sources which are not there; not at all if none.
    pub unmatched_globs: Option<Severity>,
    /// How much it matters that nobody knows a target type or field.
    pub unknown: Severity,
}

impl Settings {
    pub fn of(config: &Config, root: &Path) -> Settings {
        let list = |option: &str, default: &[&str]| match config.value("GLOBAL", option) {
            Value::Array(_) => config.list("GLOBAL", option).into_iter().map(str::to_owned).collect(),
            _ => default.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>(),
        };
        let flag = |scope: &str, option: &str, default: bool| config.value(scope, option).as_bool().unwrap_or(default);
        let mut pants_ignore = list("pants_ignore", &[".*/", "/dist/", "__pycache__", "!.semgrep/", "!.github/"]);
        // Whatever the setting says, our own outputs are no sources, and nobody means git's.
        for (option, default) in [("pants_workdir", ".pants.d"), ("pants_distdir", "dist")] {
            let dir = Path::new(config.text("GLOBAL", option).unwrap_or(default));
            let inside = if dir.is_absolute() { dir.strip_prefix(root).ok() } else { Some(dir) };
            if let Some(inside) = inside.and_then(Path::to_str).filter(|inside| !inside.is_empty()) {
                pants_ignore.push(format!("/{}/", inside.trim_matches('/')));
            }
        }
        pants_ignore.push("/.git/".to_owned());
        Settings {
            pants_ignore,
            use_gitignore: flag("GLOBAL", "pants_ignore_use_gitignore", true),
            build_patterns: list("build_patterns", &["BUILD", "BUILD.*"]),
            build_ignore: list("build_ignore", &[]),
            prelude_globs: list("build_file_prelude_globs", &[]),
            resolves: resolves(config),
            default_resolve: config.text("python", "default_resolve").unwrap_or("python-default").to_owned(),
            lockfile_targets: flag("python", "enable_lockfile_targets", true),
            pants_version: config.text("GLOBAL", "pants_version").map(str::to_owned),
            visibility: list("backend_packages", &[]).iter().any(|backend| VISIBILITY.contains(&backend.as_str())),
            siblings: siblings(config),
            unmatched_globs: unmatched_globs(config),
            unknown: match config.text("reading", "unknown") {
                Some("error") => Severity::Error,
                _ => Severity::Warning,
            },
        }
    }

    /// Whether requirements are named as written. Before Pants 2.26 their targets had dashes for underscores.
    pub fn names_as_written(&self) -> bool {
        is_since(self.pants_version.as_deref(), (2, 26))
    }

    /// Whether defaults of a target type count where a generator makes such targets. Before Pants 2.21 only those of the
    /// generator's type did.
    pub fn generated_have_defaults(&self) -> bool {
        is_since(self.pants_version.as_deref(), (2, 21))
    }

    /// The lockfile behind a requirement's `resolve` field, if lockfiles are targets.
    pub fn lockfile_of(&self, resolve: &str) -> Option<&str> {
        self.resolves.get(resolve).filter(|_| self.lockfile_targets).map(String::as_str)
    }
}

/// Whether a repository expects at least this release of Pants. One that names none expects the newest.
pub fn is_since(pants_version: Option<&str>, release: (u32, u32)) -> bool {
    let Some(version) = pants_version else { return true };
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    (numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(u32::MAX)) >= release
}

fn siblings(config: &Config) -> Vec<&'static str> {
    const OPTIONS: [(&str, &str, &[&str]); 3] = [
        ("python-infer", "imports", &["python_sources", "python_tests", "python_test_utils"]),
        ("protoc", "dependency_inference", &["protobuf_sources"]),
        ("thrift", "dependency_inference", &["thrift_sources"]),
    ];
    let is_off = |scope: &str, option: &str| config.value(scope, option).as_bool() == Some(false);
    let off = OPTIONS.into_iter().filter(|(scope, option, _)| is_off(scope, option));
    off.flat_map(|(.., kinds)| kinds).copied().collect()
}

fn unmatched_globs(config: &Config) -> Option<Severity> {
    let old = config.text("GLOBAL", "files_not_found_behavior");
    match old.or_else(|| config.text("GLOBAL", "unmatched_build_file_globs")) {
        Some("ignore") => None,
        Some("error") => Some(Severity::Error),
        _ => Some(Severity::Warning),
    }
}

fn resolves(config: &Config) -> BTreeMap<String, String> {
    if !config.flag("python", "enable_resolves") {
        return BTreeMap::new();
    }
    match config.value("python", "resolves") {
        Value::Object(resolves) => {
            let text = |(name, path): (&String, &Value)| Some((name.clone(), path.as_str()?.to_owned()));
            resolves.iter().filter_map(text).collect()
        }
        _ => BTreeMap::from([("python-default".to_owned(), "3rdparty/python/default.lock".to_owned())]),
    }
}
