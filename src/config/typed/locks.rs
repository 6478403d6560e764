//! `[generate-lockfiles]`, and the options of `[python]` and `[python-repos]` that only the writing of lockfiles reads.

use super::section::Section;
use crate::config::Config;

/// The section `[generate-lockfiles]`.
#[derive(Clone, Debug)]
pub struct GenerateLockfilesSettings {
    /// The resolves to lock; empty for all.
    pub resolve: Vec<String>,
    /// The command that the headers of lockfiles recommend.
    pub custom_command: Option<String>,
    /// Whether the differences between the old and the new lockfile are shown.
    pub diff: bool,
    /// Whether the differences include unchanged packages.
    pub diff_include_unchanged: bool,
    /// Whether all packages are locked again in their newest versions.
    pub upgrade: bool,
    /// Packages that are locked again in their newest versions.
    pub upgrade_package: Vec<String>,
}

impl GenerateLockfilesSettings {
    /// The name of the section.
    pub const SECTION: &str = "generate-lockfiles";

    /// Parses the section.
    pub fn parse(config: &Config) -> GenerateLockfilesSettings {
        let section = Section::new(config, GenerateLockfilesSettings::SECTION);
        GenerateLockfilesSettings {
            resolve: section.texts("resolve"),
            custom_command: section.filled("custom_command"),
            diff: section.flag_or("diff", true),
            diff_include_unchanged: section.flag("diff_include_unchanged"),
            upgrade: section.flag("upgrade"),
            upgrade_package: section.texts("upgrade_package"),
        }
    }
}

/// How lockfiles are written.
#[derive(Clone, Debug)]
pub struct LockfileSettings {
    /// Whether the lockfiles of resolves are written at all.
    pub resolves_generate_lockfiles: bool,
    /// Whether new lockfiles have the format of uv rather than that of PEX.
    pub writes_uv_locks: bool,
    /// Whether metadata is written to a file of its own.
    pub separate_metadata: bool,
    /// The newest manylinux tag, which is only recorded.
    pub manylinux: Option<String>,
    /// Names for directories in lockfiles, as `NAME|/path`.
    pub path_mappings: Vec<String>,
}

impl LockfileSettings {
    /// Parses the options.
    pub fn parse(config: &Config) -> LockfileSettings {
        let python = Section::new(config, "python");
        LockfileSettings {
            resolves_generate_lockfiles: python.flag_or("resolves_generate_lockfiles", true),
            writes_uv_locks: python.word("resolver") == Some("uv"),
            separate_metadata: python.flag("separate_lockfile_metadata_file"),
            manylinux: python.filled("resolver_manylinux").filter(|tag| !tag.eq_ignore_ascii_case("no")),
            path_mappings: Section::new(config, "python-repos").texts("path_mappings"),
        }
    }
}
