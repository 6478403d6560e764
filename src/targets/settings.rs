//! The options that loading depends on, with Pants' defaults for those that nobody set.

use std::collections::BTreeMap;
use std::path::Path;

use crate::build_file::Severity;
use crate::config::Config;
use crate::config::typed::{
    GlobalSettings, ProtobufSettings, PythonInferSettings, PythonSettings, ReadingSettings, ThriftSettings,
    UnmatchedGlobs,
};

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
        let (global, python) = (GlobalSettings::parse(config), PythonSettings::parse(config));
        let mut pants_ignore = global.pants_ignore;
        // Whatever the setting says, our own outputs are no sources, and nobody means git's.
        for dir in [Path::new(&global.work_dir), Path::new(&global.dist_dir)] {
            let inside = if dir.is_absolute() { dir.strip_prefix(root).ok() } else { Some(dir) };
            if let Some(inside) = inside.and_then(Path::to_str).filter(|inside| !inside.is_empty()) {
                pants_ignore.push(format!("/{}/", inside.trim_matches('/')));
            }
        }
        pants_ignore.push("/.git/".to_owned());
        Settings {
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
            siblings: siblings(config),
            unmatched_globs: match global.unmatched_sources {
                UnmatchedGlobs::Ignore => None,
                UnmatchedGlobs::Warn => Some(Severity::Warning),
                UnmatchedGlobs::Error => Some(Severity::Error),
            },
            unknown: match ReadingSettings::parse(config).unknown_is_error {
                true => Severity::Error,
                false => Severity::Warning,
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
    let inferred: [(bool, &[&'static str]); 3] = [
        (PythonInferSettings::parse(config).imports, &["python_sources", "python_tests", "python_test_utils"]),
        (ProtobufSettings::parse(config).dependency_inference, &["protobuf_sources"]),
        (ThriftSettings::parse(config).dependency_inference, &["thrift_sources"]),
    ];
    inferred.into_iter().filter(|(is_on, _)| !is_on).flat_map(|(_, kinds)| kinds).copied().collect()
}
