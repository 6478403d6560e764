//! The section of a tool. Its name is data of the room `tools`.

use super::section::Section;
use crate::config::Config;

/// The options that the sections of all tools have, and two that some have.
#[derive(Clone, Debug)]
pub struct ToolSettings {
    /// Whether the tool is left out.
    pub skip: bool,
    /// Arguments of its program.
    pub args: Vec<String>,
    /// The settings files to use, relative to the build root; empty to look for them.
    pub config: Vec<String>,
    /// Whether settings files are looked for in the usual places.
    pub config_discovery: bool,
    /// The resolve that has the tool.
    pub install_from_resolve: Option<String>,
    /// What to install of that resolve; empty for all of it.
    pub requirements: Vec<String>,
    /// The version, as a requirement or a number.
    pub version: Option<String>,
    /// What to install besides the tool.
    pub extra_requirements: Vec<String>,
    /// The path of the tool's own lockfile.
    pub lockfile: Option<String>,
    /// The interpreters that the tool may run on; empty for any that fits.
    pub interpreter_constraints: Vec<String>,
    /// The program to run in place of the usual one.
    pub console_script: Option<String>,
    /// Addresses of plugins that are part of the repository.
    pub source_plugins: Vec<String>,
    /// Paths of more files that the tool reads.
    pub extra_files: Vec<String>,
    /// Whether `export` creates an environment for the tool when it is not asked for certain ones.
    pub export: bool,
}

impl ToolSettings {
    /// Whether the section says where the tool comes from.
    pub fn is_configured(&self) -> bool {
        self.install_from_resolve.is_some() || self.lockfile.is_some() || self.version.is_some()
    }

    /// Parses the section `scope` for a call that has options of its own for arguments and for leaving it out, whose names start
    /// with `prefix`.
    pub fn of_call(config: &Config, scope: &str, prefix: &str) -> ToolSettings {
        let mut settings = ToolSettings::parse(config, scope);
        if !prefix.is_empty() {
            let section = Section::new(config, scope);
            settings.args.extend(section.texts(&format!("{prefix}args")));
            settings.skip |= section.flag(&format!("{prefix}skip"));
        }
        settings
    }

    /// Parses the section `scope`.
    pub fn parse(config: &Config, scope: &str) -> ToolSettings {
        let section = Section::new(config, scope);
        let if_known = |option: &str| if section.has(option) { section.texts(option) } else { Vec::new() };
        ToolSettings {
            skip: section.flag("skip"),
            args: section.texts("args"),
            config: section.text("config").into_iter().chain(section.texts("config")).collect(),
            config_discovery: section.flag_or("config_discovery", true),
            install_from_resolve: section.text("install_from_resolve"),
            requirements: section.texts("requirements"),
            version: section.text("version"),
            extra_requirements: section.texts("extra_requirements"),
            lockfile: section.text("lockfile").filter(|path| is_path(path)),
            interpreter_constraints: section.texts("interpreter_constraints"),
            console_script: section.text("console_script"),
            source_plugins: if_known("source_plugins"),
            extra_files: if_known("extra_files"),
            export: section.flag_or("export", true),
        }
    }
}

/// The section `[mypy]`, as far as other tools do not have its options.
#[derive(Clone, Debug)]
pub struct MypySettings {
    /// Requirements of stubs that only mypy reads.
    pub extra_type_stubs: Vec<String>,
    /// The path of their lockfile.
    pub extra_type_stubs_lockfile: Option<String>,
    /// Whether mypy stores incremental state.
    pub is_incremental: bool,
}

impl MypySettings {
    /// The name of the section.
    pub const SECTION: &str = "mypy";

    /// Parses the section.
    pub fn parse(config: &Config) -> MypySettings {
        let section = Section::new(config, MypySettings::SECTION);
        MypySettings {
            extra_type_stubs: section.texts("extra_type_stubs"),
            extra_type_stubs_lockfile: section.text("extra_type_stubs_lockfile").filter(|path| is_path(path)),
            is_incremental: section.word("cache_mode") != Some("none"),
        }
    }
}

/// Whether the value of a lockfile option is a path: `<default>` and `<none>` are not.
fn is_path(lockfile: &str) -> bool {
    !lockfile.starts_with('<')
}
