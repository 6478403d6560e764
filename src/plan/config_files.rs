//! A tool's settings files: those that the user names, else those that are found where the tool looks itself.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::config::Config;
use crate::tools::{ConfigDirs, ConfigFile, Tool};

/// `sources` are the files that the tool works on; `exists` and `holds` ask the repository (a file, and whether its text
/// holds another text).
pub fn config_files<'a>(
    tool: &Tool,
    config: &Config,
    sources: impl IntoIterator<Item = &'a RelPath>,
    exists: &dyn Fn(&RelPath) -> bool,
    holds: &dyn Fn(&RelPath, &str) -> bool,
) -> BTreeSet<RelPath> {
    let named = named(tool, config);
    if !named.is_empty() {
        return named;
    }
    if !config.value(&tool.scope, "config_discovery").as_bool().unwrap_or(true) {
        return BTreeSet::new();
    }
    let mut dirs = BTreeSet::from([RelPath::root()]);
    if tool.config_dirs == ConfigDirs::Sources {
        for mut dir in sources.into_iter().filter_map(RelPath::parent) {
            while dirs.insert(dir.clone())
                && let Some(above) = dir.parent()
            {
                dir = above;
            }
        }
    }
    let is_meant = |path: &RelPath, file: &ConfigFile| {
        exists(path) && file.section.as_ref().is_none_or(|section| holds(path, section))
    };
    let mut found = BTreeSet::new();
    for dir in &dirs {
        for file in &tool.config_files {
            let path = dir.push(&file.name).expect("names in tool descriptions are clean");
            if is_meant(&path, file) {
                found.insert(path);
            }
        }
    }
    found
}

/// `[tool].config`, relative to the build root: one file, or a list for the tools that take several.
pub fn named(tool: &Tool, config: &Config) -> BTreeSet<RelPath> {
    let one = config.text(&tool.scope, "config");
    let paths = one.into_iter().chain(config.list(&tool.scope, "config"));
    paths.filter_map(|path| RelPath::parse(path).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools;

    fn check(config: &Config, expected: &[&str]) {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let present = ["pytest.ini", "pyproject.toml", "src/pyproject.toml", "src/app/pytest.ini", "other/pytest.ini"];
        let tool = tools::named("pytest").unwrap();
        let found = config_files(
            &tool,
            config,
            [&path("src/app/a_test.py"), &path("src/b_test.py")],
            &|file| present.contains(&file.as_str()),
            &|file, section| file.as_str() == "src/pyproject.toml" && section == "[tool.pytest.ini_options]",
        );
        assert_eq!(found.iter().map(RelPath::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn files_are_found_at_the_root_and_beside_and_above_sources_if_they_are_the_tools() {
        check(&Config::default(), &["pytest.ini", "src/app/pytest.ini", "src/pyproject.toml"]);
    }

    #[test]
    fn a_named_file_stands_alone() {
        check(&Config::of([("pytest", "config", json!("build/pytest.ini"))]), &["build/pytest.ini"]);
    }

    #[test]
    fn discovery_can_be_switched_off() {
        check(&Config::of([("pytest", "config_discovery", json!(false))]), &[]);
    }
}
