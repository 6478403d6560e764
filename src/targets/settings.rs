//! The options that loading depends on, with the defaults of Pants for those that are not set. Parsing of option files
//! is in `config`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::build_file::Severity;
use crate::config::Config;
use crate::config::typed::{
    GlobalSettings, ProtobufSettings, PythonInferSettings, PythonSettings, ReadingSettings, ThriftSettings,
    UnknownNames, UnmatchedGlobs,
};

/// Backends that enable visibility rules.
const VISIBILITY: [&str; 2] = ["pants.backend.experimental.visibility", "pants.backend.visibility"];

/// The newest release of Pants whose BUILD files are known to load.
const NEWEST_PANTS: &str = "2.34.0";

/// Typed options for loading. Fields are named after their options.
#[derive(Clone, Debug)]
pub(super) struct LoadSettings {
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
    /// How to treat unknown target types and fields.
    pub unknown: UnknownNames,
}

impl LoadSettings {
    /// Reads the options. `root` is the build root, which directory options may be below.
    pub(super) fn from_config(config: &Config, root: &Path) -> LoadSettings {
        let (global, python) = (GlobalSettings::parse(config), PythonSettings::parse(config));
        let mut pants_ignore = global.pants_ignore;
        // Regardless of the setting, outputs of Waders and files of git are not sources.
        for dir in [Path::new(&global.work_dir), Path::new(&global.dist_dir)] {
            let inside = if dir.is_absolute() { dir.strip_prefix(root).ok() } else { Some(dir) };
            if let Some(inside) = inside.and_then(Path::to_str).filter(|inside| !inside.is_empty()) {
                pants_ignore.push(format!("/{}/", inside.trim_matches('/')));
            }
        }
        pants_ignore.push("/.git/".to_owned());
        LoadSettings {
            pants_ignore,
            use_gitignore: global.use_gitignore,
            build_patterns: global.build_patterns,
            build_ignore: global.build_ignore,
            prelude_globs: global.prelude_globs,
            resolves: if python.enable_resolves { python.resolves } else { BTreeMap::new() },
            default_resolve: python.default_resolve,
            lockfile_targets: python.enable_lockfile_targets,
            pants_version: global.pants_version,
            visibility: global.backend_packages.iter().any(|backend| VISIBILITY.contains(&backend.as_str())),
            sibling_generators: sibling_generators(config),
            unmatched_glob_severity: match global.unmatched_sources {
                UnmatchedGlobs::Ignore => None,
                UnmatchedGlobs::Warn => Some(Severity::Warning),
                UnmatchedGlobs::Error => Some(Severity::Error),
            },
            unknown: ReadingSettings::parse(config).unknown,
        }
    }

    /// The release of Pants that the repository is for. If it is not set, the newest one that Waders knows.
    pub(super) fn pants_version_or_newest(&self) -> &str {
        self.pants_version.as_deref().unwrap_or(NEWEST_PANTS)
    }

    /// Whether targets of requirements have the project names as written. Before Pants 2.26, underscores became dashes.
    pub(super) fn uses_written_names(&self) -> bool {
        is_release_at_least(self.pants_version.as_deref(), (2, 26))
    }

    /// Whether the defaults of a target type apply to generated targets. Before Pants 2.21, only the defaults of the
    /// generator applied.
    pub(super) fn applies_defaults_to_generated(&self) -> bool {
        is_release_at_least(self.pants_version.as_deref(), (2, 21))
    }

    /// The lockfile of a resolve, if lockfiles are targets.
    pub(super) fn lockfile_of(&self, resolve: &str) -> Option<&str> {
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
    let inferred: [(bool, &[&'static str]); 3] = [
        (PythonInferSettings::parse(config).imports, &["python_sources", "python_tests", "python_test_utils"]),
        (ProtobufSettings::parse(config).dependency_inference, &["protobuf_sources"]),
        (ThriftSettings::parse(config).dependency_inference, &["thrift_sources"]),
    ];
    inferred.into_iter().filter(|(is_on, _)| !is_on).flat_map(|(_, kinds)| kinds).copied().collect()
}
