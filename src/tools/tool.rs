//! One tool: its section of settings, its settings files, its built-in lock.

use serde::Deserialize;

use crate::python::lockfile::{self, Lock};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub scope: String,
    pub config_dirs: ConfigDirs,
    pub config_files: Vec<ConfigFile>,
}

/// Where a tool's settings files are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigDirs {
    Root,
    /// The build root and every directory that holds a source.
    Sources,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    pub name: String,
    /// The file is the tool's only if it holds this text.
    pub section: Option<String>,
}

/// Name, description, built-in lock.
const TOOLS: [(&str, &str, Option<&str>); 2] = [
    ("coverage-py", include_str!("coverage-py.toml"), None),
    ("pytest", include_str!("pytest.toml"), Some(include_str!("pytest.lock"))),
];

pub fn named(name: &str) -> Option<Tool> {
    let (_, text, _) = TOOLS.iter().find(|(known, ..)| *known == name)?;
    Some(toml::from_str(text).expect("every description is parsed by a test"))
}
