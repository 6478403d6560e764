//! The settings files of a tool: those that the user configured, or else those that the tool would discover itself. How they
//! are passed to the tool is in `tool_run`, `check_run` and `test_run`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::base::RelPath;
use crate::config::Config;
use crate::config::typed::ToolSettings;
use crate::targets::Files;
use crate::tools::{ConfigDirs, ConfigFile, Tool};
use crate::tracked::Tracker;

/// The settings files in each directory and its parents.
type FilesByDir = FxHashMap<RelPath, Arc<[RelPath]>>;

/// Discovers settings files. Each directory is examined once for each tool, even if many batches have files below it.
pub struct ConfigFiles<'f> {
    tracker: Tracker,
    root: PathBuf,
    /// Files that the repository ignores are not settings files, as with Pants.
    files: &'f Files,
    /// By the scope of the tool.
    found: Mutex<FxHashMap<String, FilesByDir>>,
}

impl ConfigFiles<'_> {
    /// Settings files of the repository at `root`.
    pub fn new<'f>(root: &Path, files: &'f Files, tracker: Tracker) -> ConfigFiles<'f> {
        ConfigFiles { tracker, root: root.to_owned(), files, found: Mutex::default() }
    }

    /// The settings files that apply when the tool processes `sources`.
    pub fn find<'a>(
        &self,
        tool: &Tool,
        config: &Config,
        sources: impl IntoIterator<Item = &'a RelPath>,
    ) -> BTreeSet<RelPath> {
        let configured = configured_files(tool, config);
        if !configured.is_empty() {
            return self.with_extended(tool, configured);
        }
        if !ToolSettings::parse(config, &tool.scope).config_discovery {
            return BTreeSet::new();
        }
        let mut found: BTreeSet<RelPath> = self.find_upwards(tool, &RelPath::root()).iter().cloned().collect();
        if tool.config_dirs == ConfigDirs::Sources {
            // Consecutive files are usually in the same directory.
            let mut last = RelPath::root();
            for dir in sources.into_iter().filter_map(RelPath::parent) {
                if dir != last {
                    found.extend(self.find_upwards(tool, &dir).iter().cloned());
                    last = dir;
                }
            }
        }
        self.with_extended(tool, found)
    }

    /// The settings file that a tool with one settings file uses for `source`: the nearest one in its directory or a parent. In
    /// one directory, the first in the order of the tool's description counts.
    pub fn nearest(&self, tool: &Tool, config: &Config, source: &RelPath) -> Option<RelPath> {
        let dir = source.parent()?;
        let configured = configured_files(tool, config);
        if !configured.is_empty() {
            let above =
                configured.into_iter().filter(|file| file.parent().is_some_and(|above| dir.starts_with(&above)));
            return above.max_by_key(depth);
        }
        if !ToolSettings::parse(config, &tool.scope).config_discovery {
            return None;
        }
        let above = self.find_upwards(tool, &dir);
        let deepest = above.iter().map(depth).max()?;
        above.iter().find(|file| depth(file) == deepest).cloned()
    }

    /// The files, and those of the repository that they extend.
    fn with_extended(&self, tool: &Tool, mut found: BTreeSet<RelPath>) -> BTreeSet<RelPath> {
        if tool.extend_keys.is_empty() {
            return found;
        }
        let mut open: Vec<RelPath> = found.iter().cloned().collect();
        while let Some(file) = open.pop() {
            let extended = self.extended_by(tool, &file).into_iter().filter(|path| self.files.contains(path));
            open.extend(extended.filter(|path| found.insert(path.clone())));
        }
        found
    }

    /// The files that the settings in `file` name as those that they extend.
    fn extended_by(&self, tool: &Tool, file: &RelPath) -> Vec<RelPath> {
        let Ok(text) = self.tracker.read_to_string(&file.to_path(&self.root)) else { return Vec::new() };
        let Some(settings) = parse(file, &text) else { return Vec::new() };
        let section = settings.get("tool").and_then(|tools| tools.get(&tool.scope));
        let keys = tool.extend_keys.iter();
        let named = keys.flat_map(|key| [settings.get(key), section.and_then(|section| section.get(key))]);
        let dir = file.parent().unwrap_or_else(RelPath::root);
        let texts = named.flatten().filter_map(Value::as_str);
        texts.filter_map(|text| dir.resolve(text).ok()).collect()
    }

    /// The settings files in a directory and its parents.
    fn find_upwards(&self, tool: &Tool, dir: &RelPath) -> Arc<[RelPath]> {
        let known = || self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&tool.scope).and_then(|dirs| dirs.get(dir)) {
            return found.clone();
        }
        let above = dir.parent().map(|above| self.find_upwards(tool, &above));
        let found = above.iter().flat_map(|above| above.iter().cloned()).chain(self.find_in_dir(tool, dir)).collect();
        known().entry(tool.scope.clone()).or_default().entry(dir.clone()).or_insert(found).clone()
    }

    fn find_in_dir(&self, tool: &Tool, dir: &RelPath) -> Vec<RelPath> {
        let applies = |path: &RelPath, file: &ConfigFile| {
            let has_section = |section: &String| {
                let bytes = self.tracker.read(&path.to_path(&self.root));
                bytes.is_ok_and(|bytes| may_have_section(&file.name, &String::from_utf8_lossy(&bytes), section))
            };
            self.files.contains(path) && file.section.as_ref().is_none_or(has_section)
        };
        let path = |file: &ConfigFile| dir.push(&file.name).expect("names in tool descriptions are clean");
        let files = tool.config_files.iter().map(|file| (path(file), file));
        files.filter(|(path, file)| applies(path, file)).map(|(path, _)| path).collect()
    }
}

/// The number of directories above a file.
fn depth(file: &RelPath) -> usize {
    file.as_str().matches('/').count()
}

/// The settings in a file in TOML or JSON; `None` if it cannot be parsed, which the tool reports.
fn parse(file: &RelPath, text: &str) -> Option<Value> {
    if file.as_str().ends_with(".json") { serde_json::from_str(text).ok() } else { toml::from_str(text).ok() }
}

/// Whether a settings file that several tools share has a section of this tool. Invalid TOML counts as having it, because
/// the tool then reports the error instead of silently running without the settings.
fn may_have_section(name: &str, text: &str, section: &str) -> bool {
    text.contains(section) || (name.ends_with(".toml") && toml_has_section(text, section))
}

/// Recognises every spelling of a section: `[tool.black]` may be `[ tool."black" ]` or `tool.black.preview = true`.
fn toml_has_section(text: &str, section: &str) -> bool {
    let Ok(table) = text.parse::<toml::Table>() else { return true };
    let mut keys = section.trim_matches(['[', ']', '.']).split('.');
    let first = keys.next().and_then(|key| table.get(key));
    keys.try_fold(first, |value, key| value.map(|value| value.get(key))).flatten().is_some()
}

/// The files that `[tool].config` names, relative to the build root: one, or a list for tools that accept several.
pub fn configured_files(tool: &Tool, config: &Config) -> BTreeSet<RelPath> {
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
        let found = ConfigFiles::new(root.path(), &files, Tracker::default()).find(&tool, config, sources);
        assert_eq!(found.iter().map(RelPath::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn files_with_settings_of_the_tool_are_found_at_the_root_and_in_the_directories_of_sources_and_their_parents() {
        check(&Config::default(), &["pytest.ini", "src/app/pytest.ini", "src/pyproject.toml"]);
    }

    /// A repository with these files and texts.
    fn with_files<T>(files: &[(&str, &str)], work: impl FnOnce(&ConfigFiles<'_>) -> T) -> T {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let files = Files::walk(root.path(), &[], false, &(), &Tracker::default()).unwrap();
        work(&ConfigFiles::new(root.path(), &files, Tracker::default()))
    }

    #[test]
    fn the_nearest_settings_file_of_a_source_is_the_deepest_one_above_it() {
        let files = [("pyproject.toml", "[tool.isort]"), ("a/setup.cfg", "[isort]"), ("a/.isort.cfg", ""), ("c/x", "")];
        let isort = tools::named("isort").unwrap();
        let check = |config: &Config, source: &str, expected: Option<&str>| {
            let source = RelPath::parse(source).unwrap();
            let nearest = with_files(&files, |found| found.nearest(&isort, config, &source));
            assert_eq!(nearest.as_ref().map(RelPath::as_str), expected, "{source}");
        };
        check(&Config::default(), "x.py", Some("pyproject.toml"));
        check(&Config::default(), "a/b/x.py", Some("a/.isort.cfg"));
        check(&Config::default(), "c/x.py", Some("pyproject.toml"));
        let configured = Config::of([("isort", "config", json!(["a/setup.cfg"]))]);
        check(&configured, "a/x.py", Some("a/setup.cfg"));
        check(&configured, "c/x.py", None);
    }

    #[test]
    fn a_settings_file_that_another_one_extends_is_found() {
        let files = [
            ("base.toml", "extend = 'base/ruff.toml'"),
            ("base/ruff.toml", "extend = '../base.toml'\n"),
            ("a/pyproject.toml", "[tool.ruff]\nextend = '../base.toml'"),
            ("a/x.py", ""),
        ];
        let (ruff, source) = (tools::named("ruff").unwrap(), RelPath::parse("a/x.py").unwrap());
        let found = with_files(&files, |found| found.find(&ruff, &Config::default(), [&source]));
        assert_eq!(
            found.iter().map(RelPath::as_str).collect::<Vec<_>>(),
            ["a/pyproject.toml", "base/ruff.toml", "base.toml"]
        );
    }

    #[test]
    fn every_spelling_of_a_section_is_found_and_invalid_toml_counts_as_having_it() {
        let check = |name: &str, text: &str, section: &str, expected: bool| {
            assert_eq!(may_have_section(name, text, section), expected, "{name} {text:?} {section}");
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
    fn a_configured_file_replaces_discovery() {
        check(&Config::of([("pytest", "config", json!("build/pytest.ini"))]), &["build/pytest.ini"]);
    }

    #[test]
    fn discovery_can_be_disabled() {
        check(&Config::of([("pytest", "config_discovery", json!(false))]), &[]);
    }
}
