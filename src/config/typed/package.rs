//! `[package]` and the sections that decide how packages are built.

use super::section::Section;
use crate::config::Config;

/// The section `[package]`.
#[derive(Clone, Debug)]
pub struct PackageSettings {
    /// Whether the list of written files is printed as JSON.
    pub json: bool,
    /// A file for the hashes of the written files.
    pub checksums: Option<String>,
}

impl PackageSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PackageSettings {
        let section = Section::new(config, "package");
        PackageSettings { json: section.flag("json"), checksums: section.filled("checksums") }
    }
}

/// The sections `[publish]` and `[twine]`.
#[derive(Clone, Debug)]
pub struct PublishSettings {
    /// A file for a JSON list of what was published.
    pub output: Option<String>,
    /// A file of certificates that uploads of distributions trust, if it is not that of downloads.
    pub ca_certs_path: Option<String>,
}

impl PublishSettings {
    /// Parses the sections.
    pub fn parse(config: &Config) -> PublishSettings {
        let written = Section::new(config, "twine").text("ca_certs_path");
        PublishSettings {
            output: Section::new(config, "publish").filled("output"),
            ca_certs_path: written.filter(|path| !path.is_empty() && path != "<inherit>"),
        }
    }
}

/// The section `[setup-py-generation]`.
#[derive(Clone, Copy, Debug)]
pub struct SetupPySettings {
    /// Whether the build files of a distribution are generated if its field `generate_setup` is unset.
    pub generates_by_default: bool,
    /// How distributions of this repository require each other.
    pub version_scheme: VersionScheme,
}

/// How a distribution requires another one of this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionScheme {
    /// `name==1.2`.
    Exact,
    /// `name~=1.2`.
    Compatible,
    /// `name`.
    Any,
}

impl SetupPySettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> SetupPySettings {
        let section = Section::new(config, "setup-py-generation");
        SetupPySettings {
            generates_by_default: section.flag_or("generate_setup_default", true),
            version_scheme: match section.word("first_party_dependency_version_scheme") {
                Some("compatible") => VersionScheme::Compatible,
                Some("any") => VersionScheme::Any,
                _ => VersionScheme::Exact,
            },
        }
    }
}

/// The sections `[pex-binary-defaults]` and `[pex-cli]`.
#[derive(Clone, Debug)]
pub struct PexSettings {
    /// Whether programs print the warnings of Pex, if their field `emit_warnings` is unset.
    pub emit_warnings: bool,
    /// Arguments for every call of Pex.
    pub global_args: Vec<String>,
}

impl PexSettings {
    /// Parses the sections.
    pub fn parse(config: &Config) -> PexSettings {
        PexSettings {
            emit_warnings: Section::new(config, "pex-binary-defaults").flag_or("emit_warnings", true),
            global_args: Section::new(config, "pex-cli").texts("global_args"),
        }
    }
}
