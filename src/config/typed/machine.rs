//! `[sandbox]`, `[store]`, `[toolchain]` and `[system]`: how steps are isolated, where results are stored, and what
//! interpreters and system trees are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::section::Section;
use crate::config::Config;

/// The section `[sandbox]`. Limits hold for one step.
#[derive(Clone, Debug)]
pub struct SandboxSettings {
    /// The weakest isolation that is accepted.
    pub isolation: IsolationChoice,
    /// Whether targets tagged `requires-network` may use the network.
    pub allow_network: bool,
    /// How long a test may take to clean up after an interrupt or a timeout.
    pub grace: Duration,
    /// The size of `/tmp`, of `HOME`, of `/dev/shm`, and of additions to the sources.
    pub scratch_bytes: u64,
    /// The number of files in `/tmp`.
    pub scratch_inodes: u64,
    /// The number of processes and threads.
    pub processes: u64,
    /// The number of open files of one process.
    pub open_files: u64,
    /// The size of the largest file.
    pub file_bytes: u64,
    /// The memory; unlimited if `None`.
    pub memory_bytes: Option<u64>,
    /// The private writable memory of one process; unlimited if `None`.
    pub process_memory_bytes: Option<u64>,
}

/// The weakest isolation that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationChoice {
    /// Everything.
    Full,
    /// Everything but Landlock.
    NoLandlock,
}

impl SandboxSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> SandboxSettings {
        let section = Section::new(config, "sandbox");
        SandboxSettings {
            isolation: match section.word("isolation") {
                Some("no-landlock") => IsolationChoice::NoLandlock,
                _ => IsolationChoice::Full,
            },
            allow_network: section.flag("allow_network"),
            grace: section.seconds("grace").unwrap_or(Duration::from_secs(30)),
            scratch_bytes: section.count("scratch_size").unwrap_or(2 << 30),
            scratch_inodes: section.count("scratch_inodes").unwrap_or(200_000),
            processes: section.count("processes").unwrap_or(4096),
            open_files: section.count("open_files").unwrap_or(65_536),
            file_bytes: section.count("file_size").unwrap_or(16 << 30),
            memory_bytes: section.count("memory"),
            process_memory_bytes: section.count("process_memory"),
        }
    }
}

/// The section `[store]`.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The directory; it may begin with `~`, and is relative to the build root unless it is absolute.
    pub dir: Option<String>,
    /// The size to which the store is shrunk; `None` for a part of its file system.
    pub max_bytes: Option<u64>,
    /// Whether runs shrink the store.
    pub auto_gc: bool,
    /// Whether `store gc` only shows what it would remove.
    pub dry_run: bool,
    /// Whether `store` prints JSON.
    pub json: bool,
}

impl StoreSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> StoreSettings {
        let section = Section::new(config, "store");
        StoreSettings {
            dir: section.text("dir"),
            max_bytes: section.count("max_size"),
            auto_gc: section.flag_or("auto_gc", true),
            dry_run: section.flag("dry_run"),
            json: section.flag("json"),
        }
    }
}

/// The section `[toolchain]`.
#[derive(Clone, Debug)]
pub struct ToolchainSettings {
    /// The names of providers, in the order in which they are tried.
    pub providers: Vec<String>,
    /// The URL of standalone builds, with `{version}`, `{build}` and `{arch}`.
    pub standalone_url_template: Option<String>,
    /// The standalone builds to choose from.
    pub standalone_versions: Vec<String>,
    /// The interpreter constraint of the program that starts services.
    pub service_python: String,
}

impl ToolchainSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> ToolchainSettings {
        let section = Section::new(config, "toolchain");
        ToolchainSettings {
            providers: section.texts("providers"),
            standalone_url_template: section.text("standalone_url_template"),
            standalone_versions: section.texts("standalone_versions"),
            service_python: section.text_or("service_python", "CPython>=3.9"),
        }
    }
}

/// The section `[system]`. What is unset follows from the machine.
#[derive(Clone, Debug)]
pub struct SystemSettings {
    /// The packages of the system tree; empty for the default.
    pub packages: Vec<String>,
    /// More packages for building source distributions, by the name of the distribution; `*` means all.
    build_packages: BTreeMap<String, Vec<String>>,
    /// The URL of the package mirror.
    pub mirror: Option<String>,
    /// The URL of a mirror that also has packages that left the archive.
    pub snapshot_mirror: Option<String>,
    /// The release, such as `bookworm`.
    pub suite: Option<String>,
    /// The file of keys that may sign the index.
    pub keyring: Option<String>,
    /// The fingerprints of the keys that may sign the index; empty for all keys.
    pub key_fingerprints: Vec<String>,
}

impl SystemSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> SystemSettings {
        let section = Section::new(config, "system");
        SystemSettings {
            packages: section.texts("packages"),
            build_packages: section
                .dict("build_packages")
                .iter()
                .map(|(name, packages)| {
                    let packages = packages.as_array().into_iter().flatten().filter_map(|package| package.as_str());
                    (normalize(name), packages.map(str::to_owned).collect())
                })
                .collect(),
            mirror: section.filled("mirror"),
            snapshot_mirror: section.filled("snapshot_mirror"),
            suite: section.filled("suite"),
            keyring: section.filled("keyring"),
            key_fingerprints: section.texts("key_fingerprints"),
        }
    }

    /// The additional packages for building a distribution, sorted.
    pub fn build_packages(&self, distribution: &str) -> Vec<String> {
        let names = ["*".to_owned(), normalize(distribution)];
        let packages: BTreeSet<String> =
            names.iter().filter_map(|name| self.build_packages.get(name)).flatten().cloned().collect();
        packages.into_iter().collect()
    }
}

/// The normalized name of a distribution, as in the specification of names: lower case, with single hyphens.
fn normalize(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn build_packages_are_found_by_any_spelling_of_the_distribution() {
        let value = json!({ "*": ["gcc"], "Ruamel.yaml_clib": ["libc6-dev", "gcc"] });
        let settings = SystemSettings::parse(&Config::of([("system", "build_packages", value)]));
        assert_eq!(settings.build_packages("ruamel-yaml-clib"), ["gcc", "libc6-dev"]);
        assert_eq!(settings.build_packages("other"), ["gcc"]);
    }

    #[test]
    fn a_limit_out_of_range_counts_as_unset() {
        let config = Config::of([("sandbox", "processes", json!(-1)), ("sandbox", "memory", json!(-1))]);
        let settings = SandboxSettings::parse(&config);
        assert_eq!((settings.processes, settings.memory_bytes), (4096, None));
        assert_eq!(settings.isolation, IsolationChoice::Full);
    }
}
