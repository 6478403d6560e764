//! `[export]`: virtual environments for editors and for work outside sandboxes.

use super::section::Section;
use crate::config::Config;

/// The form of exported environments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResolveFormat {
    /// A copy that the user may change, with pip.
    Mutable,
    /// A link to a read-only environment in the store, without pip.
    Symlinked,
}

/// The section `[export]`.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    /// The names of the resolves and tools to export; empty for all.
    pub resolves: Vec<String>,
    /// The tools whose programs are exported.
    pub bins: Vec<String>,
    /// The form of the environments.
    pub format: ResolveFormat,
    /// Requirements that every environment of a resolve has in addition to those of its lockfile.
    pub extra_requirements: Vec<String>,
    /// The editors and type checkers for which settings are written.
    pub ide: Vec<String>,
    /// Whether the environments are printed as JSON.
    pub json: bool,
    /// Resolves in which the distributions of the repository are installed as editable.
    pub editable_in: Vec<String>,
    /// Whether scripts ignore the Python settings of the user.
    hermetic_scripts: bool,
    /// Resolves whose scripts do not.
    non_hermetic_in: Vec<String>,
}

impl ExportSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> ExportSettings {
        let section = Section::new(config, "export");
        ExportSettings {
            resolves: section.texts("resolve"),
            bins: section.texts("bin"),
            format: match section.word("py_resolve_format") {
                Some("symlinked_immutable_virtualenv") => ResolveFormat::Symlinked,
                _ => ResolveFormat::Mutable,
            },
            extra_requirements: section.texts("extra_requirements"),
            ide: section.texts("ide").iter().flat_map(|names| names.split(',')).map(str::to_owned).collect(),
            json: section.flag("json"),
            editable_in: section.texts("py_editable_in_resolve"),
            hermetic_scripts: section.flag_or("py_hermetic_scripts", true),
            non_hermetic_in: section.texts("py_non_hermetic_scripts_in_resolve"),
        }
    }

    /// Arguments of the interpreter in the first line of scripts: without the user's site-packages and variables.
    pub fn script_args(&self, resolve: &str) -> &'static str {
        if self.hermetic_scripts && !self.non_hermetic_in.iter().any(|name| name == resolve) { "-sE" } else { "" }
    }
}
