//! One tool: its section of settings, its packages, its settings files, its built-in lock. How goals call it is `call`.

use serde::Deserialize;

use crate::tools::Call;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The name of its section, and its own.
    pub scope: String,
    /// The distribution that has it, where that is called otherwise.
    pub package: Option<String>,
    /// What `version` of the section lacks to be one of that distribution: `.*` where this adds a number of its own.
    #[serde(default)]
    pub version_suffix: String,
    /// The interpreters that the built-in lock is for, where those are not all.
    pub python: Option<String>,
    #[serde(default)]
    pub config_dirs: ConfigDirs,
    #[serde(default)]
    pub config_files: Vec<ConfigFile>,
    /// The words that hand over the file that `config` of the section names; `{}` stands for its path.
    #[serde(default)]
    pub config_args: Vec<String>,
    /// How many files a process gets at most, unless the user wants fewer: for one whose start weighs more than its work on
    /// as many files as the goal's `batch_size` is by default.
    pub batch_size: Option<usize>,
    /// In the order of names where several are enabled by one backend.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// The text of the lock of the default version: hash-pinned requirements. Without it, it comes with another tool.
    #[serde(skip)]
    pub lock: &'static str,
}

/// Where a tool's settings files are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigDirs {
    #[default]
    Root,
    /// The build root and every directory that a source lies in or below.
    Sources,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    pub name: String,
    /// The file is the tool's only if it holds this text.
    pub section: Option<String>,
}

impl Tool {
    /// The name of the distribution that has it.
    pub fn package(&self) -> &str {
        self.package.as_deref().unwrap_or(&self.scope)
    }
}
