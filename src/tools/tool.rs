//! The description of a tool: its settings section, packages, settings files and built-in lockfile. The ways to run it are
//! described in `call`.

use serde::Deserialize;

use crate::tools::Call;

/// A tool, as described in a `.toml` file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The name of the settings section, which is also the name of the tool.
    pub scope: String,
    /// The distribution that contains the tool, if it has another name.
    pub package: Option<String>,
    /// The address of its documentation.
    pub homepage: Option<String>,
    /// The address of the explanation of a finding, in which `{code}` stands for its code, or of a list of all codes.
    pub code_help: Option<String>,
    /// A suffix that turns the option `version` into a version of the distribution: `.*` if the distribution appends its own
    /// number.
    #[serde(default)]
    pub version_suffix: String,
    /// Requirements that versions other than the built-in one import without declaring them. They are added to the option
    /// `version` unless `extra_requirements` is set, as in Pants, where they are its default.
    #[serde(default)]
    pub undeclared: Vec<String>,
    /// The versions in earlier releases of Pants, whose results differ from those of the built-in one, in the order of releases.
    #[serde(default)]
    pub earlier: Vec<EarlierVersion>,
    /// The interpreters that the built-in lockfile supports; `None` means all.
    pub python: Option<String>,
    /// Where settings files are searched for.
    #[serde(default)]
    pub config_dirs: ConfigDirs,
    /// The settings files.
    #[serde(default)]
    pub config_files: Vec<ConfigFile>,
    /// The arguments that pass the file named by the option `config`; `{}` stands for its path.
    #[serde(default)]
    pub config_args: Vec<String>,
    /// Whether a process uses one settings file for all of its files: the tool takes the file that applies to their common parent
    /// directory, or to the first of them. Files with different settings files then never share a process, so that the result
    /// for a file does not depend on the other files.
    #[serde(default)]
    pub one_config: bool,
    /// Whether a settings file that was discovered is passed with `config_args`, because the tool does not find it.
    #[serde(default)]
    pub pass_discovered: bool,
    /// Keys of a settings file that name another one, which it extends. They are top-level keys or keys of `[tool.<scope>]`.
    #[serde(default)]
    pub extend_keys: Vec<String>,
    /// The maximum number of files for one process, unless the user sets a smaller one. For tools that take long to start,
    /// it is larger than the default of the goal's `batch_size`.
    pub batch_size: Option<usize>,
    /// The ways to run the tool. Calls that are enabled by the same backend are sorted by name.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// The text of the built-in lockfile, which contains hash-pinned requirements. Empty if the tool is installed with
    /// another one.
    #[serde(skip)]
    pub lock: &'static str,
}

/// The version of a tool in releases of Pants before a certain one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierVersion {
    /// The first release that this does not apply to.
    pub before: (u32, u32),
    /// The requirement of the tool, with an exact version.
    pub version: String,
}

/// Where the settings files of a tool are searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigDirs {
    /// In the build root.
    #[default]
    Root,
    /// In the directories of the sources and all their ancestors.
    Sources,
}

/// A settings file of a tool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The file name.
    pub name: String,
    /// If set, the file is used only if it contains this text.
    pub section: Option<String>,
}

impl Tool {
    /// The name of the distribution that contains the tool.
    pub fn package(&self) -> &str {
        self.package.as_deref().unwrap_or(&self.scope)
    }
}
