//! A tool's settings files: those that the user names, else those that are found where the tool looks itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::config::Config;
use crate::config::typed::ToolSettings;
use crate::targets::Files;
use crate::tools::{ConfigDirs, ConfigFile, Tool};
use crate::tracked::Tracker;

/// By directory: what lies there and above.
type FoundFrom = FxHashMap<RelPath, Arc<[RelPath]>>;

/// Looks into each directory once for each tool, however many batches have files below it.
pub struct ConfigFiles<'f> {
    tracker: Tracker,
    root: PathBuf,
    /// As with Pants, an ignored file holds no settings.
    files: &'f Files,
    /// By the tool's section.
    seen: Mutex<FxHashMap<String, FoundFrom>>,
}

impl ConfigFiles<'_> {
    /// Of the repository at `root`.
    pub fn new<'f>(root: &Path, files: &'f Files, tracker: Tracker) -> ConfigFiles<'f> {
        ConfigFiles { tracker, root: root.to_owned(), files, seen: Mutex::default() }
    }

    /// Those that hold for the files that the tool works on.
    pub fn of<'a>(
        &self,
        tool: &Tool,
        config: &Config,
        sources: impl IntoIterator<Item = &'a RelPath>,
    ) -> BTreeSet<RelPath> {
        let named = named(tool, config);
        if !named.is_empty() {
            return named;
        }
        if !ToolSettings::parse(config, &tool.scope).config_discovery {
            return BTreeSet::new();
        }
        let mut found: BTreeSet<RelPath> = self.from(tool, &RelPath::root()).iter().cloned().collect();
        if tool.config_dirs == ConfigDirs::Sources {
            // Neighbours mostly lie in one directory.
            let mut last = RelPath::root();
            for dir in sources.into_iter().filter_map(RelPath::parent) {
                if dir != last {
                    found.extend(self.from(tool, &dir).iter().cloned());
                    last = dir;
                }
            }
        }
        found
    }

    /// Those in a directory and above.
    fn from(&self, tool: &Tool, dir: &RelPath) -> Arc<[RelPath]> {
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = seen().get(&tool.scope).and_then(|dirs| dirs.get(dir)) {
            return found.clone();
        }
        let above = dir.parent().map(|above| self.from(tool, &above));
        let found = above.iter().flat_map(|above| above.iter().cloned()).chain(self.in_dir(tool, dir)).collect();
        seen().entry(tool.scope.clone()).or_default().entry(dir.clone()).or_insert(found).clone()
    }

    fn in_dir(&self, tool: &Tool, dir: &RelPath) -> Vec<RelPath> {
        let is_meant = |path: &RelPath, file: &ConfigFile| {
            let holds_it = |section: &String| {
                let bytes = self.tracker.read(&path.to_path(&self.root));
                bytes.is_ok_and(|bytes| holds(&file.name, &String::from_utf8_lossy(&bytes), section))
            };
            self.files.contains(path) && file.section.as_ref().is_none_or(holds_it)
        };
        let path = |file: &ConfigFile| dir.push(&file.name).expect("names in tool descriptions are clean");
        let files = tool.config_files.iter().map(|file| (path(file), file));
        files.filter(|(path, file)| is_meant(path, file)).map(|(path, _)| path).collect()
    }
}

/// Whether a file that is for all tools is for this one too. Broken TOML is for every tool that would read it: what is
/// wrong, the tool tells better than silence about settings that were meant for it.
fn holds(name: &str, text: &str, section: &str) -> bool {
    text.contains(section) || (name.ends_with(".toml") && toml_holds(text, section))
}

/// However the section is spelled: `[tool.black]` may be `[ tool."black" ]` or `tool.black.preview = true`.
fn toml_holds(text: &str, section: &str) -> bool {
    let Ok(table) = text.parse::<toml::Table>() else { return true };
    let mut keys = section.trim_matches(['[', ']', '.']).split('.');
    let first = keys.next().and_then(|key| table.get(key));
    keys.try_fold(first, |value, key| value.map(|value| value.get(key))).flatten().is_some()
}

/// `[tool].config`, relative to the build root: one file, or a list for the tools that take several.
pub fn named(tool: &Tool, config: &Config) -> BTreeSet<RelPath> {
    let paths = ToolSettings::parse(config, &tool.scope).config;
    paths.iter().filter_map(|path| RelPath::parse(path).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools;

    fn check(config: &Config, expected: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        let section = "[tool.pytest.ini_options]\n";
        for (file, text) in [
            ("pytest.ini", ""),
            ("pyproject.toml", "[project]\n"),
            ("src/pyproject.toml", section),
            ("src/app/pytest.ini", ""),
            ("other/pytest.ini", ""),
            ("ignored/pytest.ini", ""),
        ] {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let path = |text: &str| RelPath::parse(text).unwrap();
        let tool = tools::named("pytest").unwrap();
        let sources = [&path("src/app/a_test.py"), &path("src/b_test.py"), &path("ignored/c_test.py")];
        let files = Files::walk(root.path(), &["/ignored/".to_owned()], false, &(), &Tracker::default()).unwrap();
        let found = ConfigFiles::new(root.path(), &files, Tracker::default()).of(&tool, config, sources);
        assert_eq!(found.iter().map(RelPath::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn files_are_found_at_the_root_and_beside_and_above_sources_if_they_are_the_tools() {
        check(&Config::default(), &["pytest.ini", "src/app/pytest.ini", "src/pyproject.toml"]);
    }

    #[test]
    fn a_section_is_found_however_it_is_spelled_and_broken_toml_is_every_tools() {
        let check = |name: &str, text: &str, section: &str, expected: bool| {
            assert_eq!(holds(name, text, section), expected, "{name} {text:?} {section}");
        };
        for text in ["[tool.black]", "[ tool . 'black' ]", "[tool]\nblack.preview = true", "tool = { black = {} }"] {
            check("pyproject.toml", text, "[tool.black]", true);
        }
        for text in ["[tool.black", "[project]\nname =\n", "[tool.black]\npreview = yes\n"] {
            check("pyproject.toml", text, "[tool.black]", true);
        }
        check("pyproject.toml", "[tool.pylint.main]", "[tool.pylint.", true);
        check("pyproject.toml", "[tool.blackened]\n[black]\n[project]\ntool = 'black'", "[tool.black]", false);
        check("pyproject.toml", "", "[tool.black]", false);
        check("setup.cfg", "[flake8", "[flake8]", false);
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
