//! `[changed]` and `[filter]`: which targets a command line selects besides those that it names.

use super::section::Section;
use crate::config::Config;

/// The section `[changed]`.
#[derive(Clone, Debug)]
pub struct ChangedSettings {
    /// A commit: files changed since then are selected.
    pub since: Option<String>,
    /// A range of commits, or one commit; it is used in place of `since`.
    pub diffspec: Option<String>,
    /// Which dependents of changed targets are selected.
    pub dependents: DependentsOfChanged,
}

/// Which dependents of changed targets are selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependentsOfChanged {
    /// None.
    None,
    /// Those that depend on a changed target directly.
    Direct,
    /// Also those that depend on these, and so on.
    Transitive,
}

impl ChangedSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> ChangedSettings {
        let section = Section::new(config, "changed");
        ChangedSettings {
            since: section.text("since"),
            diffspec: section.text("diffspec"),
            dependents: match section.word("dependents") {
                Some("transitive") => DependentsOfChanged::Transitive,
                Some("direct") => DependentsOfChanged::Direct,
                _ => DependentsOfChanged::None,
            },
        }
    }
}

/// The section `[filter]`.
#[derive(Clone, Debug)]
pub struct FilterSettings {
    /// Target types; `-type` selects all others.
    pub target_type: Vec<String>,
    /// Regular expressions of addresses.
    pub address_regex: Vec<String>,
    /// Regular expressions of tags.
    pub tag_regex: Vec<String>,
    /// Whether only generated or only written targets are selected.
    pub granularity: GranularityChoice,
}

/// Whether only generated or only written targets are selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GranularityChoice {
    /// Both.
    All,
    /// Targets that own at most one file.
    File,
    /// Targets that stand in a BUILD file.
    Build,
}

impl FilterSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> FilterSettings {
        let section = Section::new(config, "filter");
        FilterSettings {
            target_type: section.texts("target_type"),
            address_regex: section.texts("address_regex"),
            tag_regex: section.texts("tag_regex"),
            granularity: match section.word("granularity") {
                Some("file") => GranularityChoice::File,
                Some("BUILD") => GranularityChoice::Build,
                _ => GranularityChoice::All,
            },
        }
    }
}
