//! One tool: its section of settings, its settings files, its built-in lock.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub scope: String,
    pub config_dirs: ConfigDirs,
    pub config_files: Vec<ConfigFile>,
    /// The text of the lock of the default version: hash-pinned requirements.
    #[serde(skip)]
    pub lock: &'static str,
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

/// Description and built-in lock; without a lock the tool comes with another one.
const TOOLS: [(&str, &str); 2] =
    [(include_str!("coverage-py.toml"), ""), (include_str!("pytest.toml"), include_str!("pytest.lock"))];

/// The backends that source distributions are built with.
pub const SDIST_LOCK: &str = include_str!("sdist.lock");

/// The resolver of repositories without lockfiles.
pub const UV_LOCK: &str = include_str!("uv.lock");

pub fn named(scope: &str) -> Option<Tool> {
    all().find(|tool| tool.scope == scope)
}

fn all() -> impl Iterator<Item = Tool> {
    TOOLS.iter().map(|(text, lock)| {
        let tool: Tool = toml::from_str(text).expect("every description is parsed by a test");
        Tool { lock, ..tool }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_is_whole() {
        assert_eq!(all().map(|tool| tool.scope).collect::<Vec<_>>(), ["coverage-py", "pytest"]);
    }
}
