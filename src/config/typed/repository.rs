//! `[source]`, `[reading]`, `[visibility]` and `[shell-setup]`: how the repository is read.

use super::section::Section;
use crate::config::Config;

/// The section `[source]`.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Patterns of source roots; a leading `/` anchors at the build root.
    pub root_patterns: Vec<String>,
    /// Names of files that mark a source root.
    pub marker_filenames: Vec<String>,
}

impl SourceSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> SourceSettings {
        let section = Section::new(config, "source");
        SourceSettings {
            root_patterns: section.texts("root_patterns"),
            marker_filenames: section.texts("marker_filenames"),
        }
    }
}

/// The section `[reading]`.
#[derive(Clone, Copy, Debug)]
pub struct ReadingSettings {
    /// How to treat errors in BUILD files.
    pub broken_files: BrokenFiles,
    /// Whether files without an owner have the targets that `tailor` would add.
    pub implied_targets: bool,
    /// How to treat unknown target types and fields.
    pub unknown: UnknownNames,
}

/// How to treat unknown target types and fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownNames {
    /// Unknown target types are errors if `CI` is set; everything else is a warning.
    Auto,
    /// All are warnings.
    Warn,
    /// All are errors.
    Error,
}

/// How to treat errors in BUILD files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenFiles {
    /// Report them and continue with what they do not concern.
    Report,
    /// Refuse every goal.
    Stop,
}

impl ReadingSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> ReadingSettings {
        let section = Section::new(config, "reading");
        ReadingSettings {
            implied_targets: section.flag("implied_targets"),
            broken_files: match section.word("broken_files") {
                Some("stop") => BrokenFiles::Stop,
                _ => BrokenFiles::Report,
            },
            unknown: match section.word("unknown") {
                Some("error") => UnknownNames::Error,
                Some("warn") => UnknownNames::Warn,
                _ => UnknownNames::Auto,
            },
        }
    }
}

/// The section `[visibility]`.
#[derive(Clone, Copy, Debug)]
pub struct VisibilitySettings {
    /// Whether forbidden dependencies are refused.
    pub enforce: bool,
}

impl VisibilitySettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> VisibilitySettings {
        VisibilitySettings { enforce: Section::new(config, "visibility").flag("enforce") }
    }
}

/// The section `[shell-setup]`.
#[derive(Clone, Copy, Debug)]
pub struct ShellSetupSettings {
    /// Whether scripts depend on the scripts that they source.
    pub dependency_inference: bool,
    /// Whether `tailor` adds targets for shell files.
    pub tailor: bool,
}

impl ShellSetupSettings {
    /// The name of the section.
    pub const SECTION: &str = "shell-setup";

    /// Parses the section.
    pub fn parse(config: &Config) -> ShellSetupSettings {
        let section = Section::new(config, ShellSetupSettings::SECTION);
        ShellSetupSettings {
            dependency_inference: section.flag("dependency_inference"),
            tailor: section.flag("tailor"),
        }
    }
}
