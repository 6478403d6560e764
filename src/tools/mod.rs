//! The tools as data: one `.toml` and one lock a tool. How a tool is run is `plan`'s, what its settings are `config`'s.

use serde::Deserialize;

/// A tool that Waders brings locked, as long as the settings do not name a resolve for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The section of the settings.
    pub scope: String,
    /// What is run of it; none for what is only imported.
    pub console_script: Option<String>,
    /// What the lock was made from.
    pub requirements: Vec<String>,
    /// Settings files to look for, in this order.
    #[serde(default)]
    pub config: Vec<ConfigFile>,
    /// Hash-pinned requirements with the names of the files, for `python::lockfile::parse`.
    #[serde(skip)]
    pub lock: &'static str,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    pub file: String,
    /// The file counts only if it holds this text.
    pub holding: Option<String>,
}

/// Each tool's definition and its lock.
const BUILT_IN: [(&str, &str); 2] = [
    (include_str!("pytest.toml"), include_str!("pytest.lock")),
    (include_str!("setuptools.toml"), include_str!("setuptools.lock")),
];

/// The built-in tool of a section.
pub fn built_in(scope: &str) -> Option<Tool> {
    let tools = BUILT_IN.iter().map(|(definition, lock)| {
        let tool: Tool = toml::from_str(definition).expect("checked by a test");
        Tool { lock, ..tool }
    });
    tools.into_iter().find(|tool| tool.scope == scope)
}

impl Tool {
    /// What messages call its lock.
    pub fn lock_label(&self) -> String {
        format!("the built-in lock of `{}`", self.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_tool_can_be_read() {
        for (definition, _) in BUILT_IN {
            let tool: Tool = toml::from_str(definition).expect(definition);
            assert!(built_in(&tool.scope).is_some_and(|tool| !tool.lock.is_empty()));
        }
    }

    #[test]
    fn locks_name_no_host() {
        for (_, lock) in BUILT_IN {
            assert!(!lock.contains("://"));
        }
    }
}
