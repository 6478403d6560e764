//! What the settings of pytest say about the tests of a repository: which files are tests, and in which directories they are. Only the
//! names of options are known here; pytest reads its settings itself.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::base::glob::Glob;
use crate::config::index::{self, ConfigFile};

/// The settings files of pytest besides `pyproject.toml` in the order in which it looks for them, and the section that counts.
const FILES: [(&str, &str); 4] =
    [("pytest.ini", "pytest"), (".pytest.ini", "pytest"), ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")];

/// The option `python_files` if it is not set.
const TEST_FILES: [&str; 2] = ["test_*.py", "*_test.py"];

/// The option `norecursedirs` if it is not set.
const SKIPPED_DIRS: [&str; 9] = ["*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}"];

/// The settings of pytest in a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PytestSettings {
    /// The names of test files, as globs.
    pub(super) python_files: Vec<String>,
    /// Directories and files with tests, as globs relative to the directory. Empty: everywhere.
    pub(super) testpaths: Vec<String>,
    /// Directories to import from, relative to the directory.
    pub(super) pythonpath: Vec<String>,
    /// Directories in which no tests are, as globs for the name, or for the end of the path if they have a slash.
    pub(super) norecursedirs: Vec<String>,
}

impl PytestSettings {
    /// The settings in a directory; `None` if it has none. `pyproject` is the content of its `pyproject.toml`.
    pub(super) fn read(dir: &Path, pyproject: &Table) -> Option<PytestSettings> {
        let in_ini = |name: &str, section: &str| {
            let path = dir.join(name);
            let text = fs::read_to_string(&path).ok()?;
            // An empty `pytest.ini` counts, too.
            (name.ends_with("pytest.ini") || has_section(&text, section)).then(|| of_ini(path, text, section))
        };
        let [first, second, others @ ..] = FILES;
        let ini = [first, second].into_iter().find_map(|(name, section)| in_ini(name, section));
        let ini = ini.or_else(|| of_pyproject(pyproject));
        ini.or_else(|| others.into_iter().find_map(|(name, section)| in_ini(name, section)))
    }

    /// Whether pytest skips a directory, relative to that of the settings, or one above it.
    pub(super) fn skips(&self, dir: &str) -> bool {
        let usual = SKIPPED_DIRS.map(str::to_owned);
        let patterns = if self.norecursedirs.is_empty() { &usual[..] } else { &self.norecursedirs };
        let patterns = patterns.iter().map(|pattern| pattern.trim_matches('/'));
        let patterns: Vec<(&str, Option<Glob>)> =
            patterns.map(|pattern| (pattern, Glob::compile(pattern).ok())).collect();
        let is_skipped = |dir: &str| {
            let name = dir.rsplit('/').next().unwrap_or_default();
            patterns.iter().any(|(pattern, glob)| {
                let matches = |text: &str| glob.as_ref().map_or(text == *pattern, |glob| glob.matches(text));
                match pattern.contains('/') {
                    true => matches(dir) || dir.match_indices('/').any(|(at, _)| matches(&dir[at + 1..])),
                    false => matches(name),
                }
            })
        };
        let mut above = std::iter::successors(Some(dir), |dir| Some(dir.rsplit_once('/')?.0));
        !dir.is_empty() && above.any(is_skipped)
    }
}

/// The names of test files where no settings say otherwise.
pub(super) fn usual_test_files() -> Vec<String> {
    TEST_FILES.map(str::to_owned).to_vec()
}

fn of_pyproject(pyproject: &Table) -> Option<PytestSettings> {
    let table = pyproject.get("tool")?.get("pytest")?.as_table()?;
    // pytest 9 also reads `[tool.pytest]`.
    let table = table.get("ini_options").and_then(Value::as_table).unwrap_or(table);
    let words = |key: &str| match table.get(key) {
        Some(Value::String(text)) => split(text),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Some(PytestSettings {
        python_files: words("python_files"),
        testpaths: words("testpaths"),
        pythonpath: words("pythonpath"),
        norecursedirs: words("norecursedirs"),
    })
}

fn has_section(text: &str, section: &str) -> bool {
    text.lines().any(|line| line.trim() == format!("[{section}]"))
}

/// A file that cannot be parsed counts as empty: pytest reports its errors.
fn of_ini(path: PathBuf, text: String, section: &str) -> PytestSettings {
    let entries = index::ini(&ConfigFile { path, text }).unwrap_or_default();
    let words = |name: &str| {
        let mut values = entries.iter().filter(|(within, key, _)| within == section && key == name);
        values.next().into_iter().flat_map(|(_, _, value)| value.lines()).flat_map(split).collect()
    };
    PytestSettings {
        // The parser writes names of options with dashes.
        python_files: words("python-files"),
        testpaths: words("testpaths"),
        pythonpath: words("pythonpath"),
        norecursedirs: words("norecursedirs"),
    }
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().take_while(|word| !word.starts_with(['#', ';'])).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], python_files: &[&str], testpaths: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let pyproject = fs::read_to_string(dir.path().join("pyproject.toml")).unwrap_or_default().parse().unwrap();
        let found = PytestSettings::read(dir.path(), &pyproject).unwrap_or_default();
        assert_eq!(found.python_files, python_files, "{files:?}");
        assert_eq!(found.testpaths, testpaths, "{files:?}");
    }

    #[test]
    fn some_directories_have_no_tests() {
        let check = |norecursedirs: &[&str], skipped: &[&str], searched: &[&str]| {
            let norecursedirs = norecursedirs.iter().map(|text| (*text).to_owned()).collect();
            let settings = PytestSettings { norecursedirs, ..PytestSettings::default() };
            skipped.iter().for_each(|dir| assert!(settings.skips(dir), "{dir}"));
            searched.iter().for_each(|dir| assert!(!settings.skips(dir), "{dir}"));
        };
        check(&[], &[".github/scripts", "a/build/b", "x.egg"], &["", "tests", "rebuild"]);
        check(&["tests/data", "old*"], &["tests/data/a", "a/tests/data", "older/b"], &["data", "build", ".hidden"]);
    }

    #[test]
    fn settings_are_read_from_the_file_that_pytest_reads() {
        let ini = "[pytest]\naddopts = -x\ntestpaths =\n    a  # why\n    b\npython_files: check_*.py *_spec.py\n[other]\ntestpaths = c\n";
        check(&[("pytest.ini", ini)], &["check_*.py", "*_spec.py"], &["a", "b"]);
        check(&[("setup.cfg", &ini.replace("[pytest]", "[tool:pytest]"))], &["check_*.py", "*_spec.py"], &["a", "b"]);
        check(&[("setup.cfg", ini)], &[], &[]);
        let text = "[tool.pytest.ini_options]\ntestpaths = ['tests']\npython_files = 'a.py b.py'\n";
        check(&[("pyproject.toml", text), ("tox.ini", ini)], &["a.py", "b.py"], &["tests"]);
        check(&[("pyproject.toml", text), ("pytest.ini", "")], &[], &[]);
        check(&[("pyproject.toml", "[tool.pytest]\ntestpaths = ['x']\n")], &[], &["x"]);
        check(&[("pyproject.toml", "[tool.black]\n"), ("tox.ini", ini)], &["check_*.py", "*_spec.py"], &["a", "b"]);
    }
}
