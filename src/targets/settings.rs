//! The options that loading depends on, with the defaults of Pants for those that are not set. Parsing of option files
//! is in `config`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::build_file::Severity;
use crate::config::Config;

/// Backends that enable visibility rules.
const VISIBILITY: [&str; 2] = ["pants.backend.experimental.visibility", "pants.backend.visibility"];

/// Typed options for loading. Fields are named after their options.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    pub pants_ignore: Vec<String>,
    pub use_gitignore: bool,
    pub build_patterns: Vec<String>,
    pub build_ignore: Vec<String>,
    pub prelude_globs: Vec<String>,
    /// Lockfiles by name of the resolve. Empty if resolves are disabled.
    pub resolves: BTreeMap<String, String>,
    pub default_resolve: String,
    pub lockfile_targets: bool,
    pub pants_version: Option<String>,
    /// Whether a backend is enabled that enforces visibility rules.
    pub visibility: bool,
    /// Generators whose targets depend on each other, because their imports are not inferred.
    pub sibling_generators: Vec<&'static str>,
    /// Severity of sources in BUILD files that match no file. `None` ignores them.
    pub unmatched_glob_severity: Option<Severity>,
    /// Severity of unknown target types and fields.
    pub unknown_severity: Severity,
}

impl LoadSettings {
    /// Reads the options. `root` is the build root, which directory options may be below.
    pub fn from_config(config: &Config, root: &Path) -> LoadSettings {
        let list = |option: &str, default: &[&str]| match config.value("GLOBAL", option) {
            Value::Array(_) => config.list("GLOBAL", option).into_iter().map(str::to_owned).collect(),
            _ => default.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>(),
        };
        let flag = |scope: &str, option: &str, default: bool| config.value(scope, option).as_bool().unwrap_or(default);
        let mut pants_ignore = list("pants_ignore", &[".*/", "/dist/", "__pycache__", "!.semgrep/", "!.github/"]);
        // Regardless of the setting, outputs of Waders and files of git are not sources.
        for (option, default) in [("pants_workdir", ".pants.d"), ("pants_distdir", "dist")] {
            let dir = Path::new(config.text("GLOBAL", option).unwrap_or(default));
            let inside = if dir.is_absolute() { dir.strip_prefix(root).ok() } else { Some(dir) };
            if let Some(inside) = inside.and_then(Path::to_str).filter(|inside| !inside.is_empty()) {
                pants_ignore.push(format!("/{}/", inside.trim_matches('/')));
            }
        }
        pants_ignore.push("/.git/".to_owned());
        LoadSettings {
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
            sibling_generators: sibling_generators(config),
            unmatched_glob_severity: unmatched_glob_severity(config),
            unknown_severity: match config.text("reading", "unknown") {
                Some("error") => Severity::Error,
                _ => Severity::Warning,
            },
        }
    }

    /// Whether targets of requirements have the project names as written. Before Pants 2.26, underscores became dashes.
    pub fn uses_written_names(&self) -> bool {
        is_release_at_least(self.pants_version.as_deref(), (2, 26))
    }

    /// Whether the defaults of a target type apply to generated targets. Before Pants 2.21, only the defaults of the
    /// generator applied.
    pub fn applies_defaults_to_generated(&self) -> bool {
        is_release_at_least(self.pants_version.as_deref(), (2, 21))
    }

    /// The lockfile of a resolve, if lockfiles are targets.
    pub fn lockfile_of(&self, resolve: &str) -> Option<&str> {
        self.resolves.get(resolve).filter(|_| self.lockfile_targets).map(String::as_str)
    }
}

/// Whether `pants_version` is at least the given major and minor release. An unset version counts as the newest.
pub fn is_release_at_least(pants_version: Option<&str>, release: (u32, u32)) -> bool {
    let Some(version) = pants_version else { return true };
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    (numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(u32::MAX)) >= release
}

fn sibling_generators(config: &Config) -> Vec<&'static str> {
    const OPTIONS: [(&str, &str, &[&str]); 3] = [
        ("python-infer", "imports", &["python_sources", "python_tests", "python_test_utils"]),
        ("protoc", "dependency_inference", &["protobuf_sources"]),
        ("thrift", "dependency_inference", &["thrift_sources"]),
    ];
    let is_off = |scope: &str, option: &str| config.value(scope, option).as_bool() == Some(false);
    let off = OPTIONS.into_iter().filter(|(scope, option, _)| is_off(scope, option));
    off.flat_map(|(.., kinds)| kinds).copied().collect()
}

fn unmatched_glob_severity(config: &Config) -> Option<Severity> {
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
