//! The projects of a repository: what their `pyproject.toml` says about source roots, interpreters and requirements.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ignore::WalkBuilder;
use toml::{Table, Value};

/// How many directories below the root are searched for projects.
const DEPTH: usize = 5;

/// The files that make a directory a project.
const PROJECT_FILES: [&str; 2] = ["pyproject.toml", "setup.py"];

/// A directory with a project.
struct Project {
    /// Relative to the root; empty for the root.
    dir: String,
    /// The content of `pyproject.toml`; empty without one.
    table: Table,
    /// Whether the directory has a directory `src`.
    has_src: bool,
}

/// All projects, the one in the root first.
pub(super) struct Projects {
    projects: Vec<Project>,
    /// The directories of tests, or those above that are no packages: pytest imports from them.
    test_dirs: BTreeSet<String>,
    /// The version in `.python-version`.
    pinned_python: Option<String>,
}

impl Projects {
    /// Searches the repository, without what git ignores. A file that cannot be parsed counts as empty: tools report its errors.
    pub(super) fn read(root: &Path) -> Projects {
        let (mut dirs, mut test_dirs) = (BTreeSet::new(), BTreeSet::new());
        for entry in WalkBuilder::new(root).max_depth(Some(DEPTH)).require_git(false).build().flatten() {
            let (Some(name), Some(dir)) = (entry.file_name().to_str(), entry.path().parent()) else { continue };
            if PROJECT_FILES.contains(&name) {
                dirs.insert(dir.to_owned());
            }
            if is_test(name) {
                let mut above = dir.ancestors().take_while(|dir| dir.starts_with(root));
                let import_dir = above.find(|dir| !dir.join("__init__.py").exists()).unwrap_or(root);
                // Other directories may contain packages that are imported from the root, and tests in them.
                if import_dir == dir
                    || import_dir.file_name().is_some_and(|name| name.to_string_lossy().contains("test"))
                {
                    test_dirs.extend(import_dir.strip_prefix(root).map(|dir| format!("/{}", dir.display())));
                }
            }
        }
        let project = |dir: &std::path::PathBuf| {
            let text = fs::read_to_string(dir.join("pyproject.toml")).unwrap_or_default();
            Project {
                dir: dir.strip_prefix(root).unwrap_or(dir).to_string_lossy().into_owned(),
                table: text.parse().unwrap_or_default(),
                has_src: dir.join("src").is_dir(),
            }
        };
        let mut projects: Vec<Project> = dirs.iter().map(project).collect();
        if !projects.iter().any(|project| project.dir.is_empty()) {
            projects.insert(0, project(&root.to_owned()));
        }
        let pinned = fs::read_to_string(root.join(".python-version")).unwrap_or_default();
        let pinned_python = pinned.split_whitespace().next().map(|word| word.trim_start_matches("cpython@").to_owned());
        Projects { projects, test_dirs, pinned_python }
    }

    /// The table `tool` of the root.
    pub(super) fn tool(&self, name: &str) -> Option<&Value> {
        self.projects.first()?.table.get("tool")?.get(name)
    }

    /// The directories to import from: `src` of each project that has one, the projects, and the directories from which pytest imports.
    pub(super) fn source_roots(&self) -> Vec<String> {
        let mut roots = self.test_dirs.clone();
        for Project { dir, has_src, .. } in &self.projects {
            let dir = if dir.is_empty() { String::new() } else { format!("/{dir}") };
            roots.extend(has_src.then(|| format!("{dir}/src")));
            roots.insert(if dir.is_empty() { "/".to_owned() } else { dir });
        }
        roots.into_iter().collect()
    }

    /// The interpreters that all projects support. `.python-version` names one of them.
    pub(super) fn interpreter_constraints(&self) -> Vec<String> {
        let required = self.projects.iter().filter_map(|project| {
            let written = project.table.get("project")?.get("requires-python")?.as_str()?;
            Some(written.replace(' ', ""))
        });
        let required: BTreeSet<String> = required.collect();
        let pinned = self.pinned_python.as_deref().and_then(minor_version);
        let specifiers = match pinned {
            Some(minor) => format!("=={minor}.*"),
            None if required.is_empty() => ">=3.9".to_owned(),
            None => required.into_iter().collect::<Vec<_>>().join(","),
        };
        vec![format!("CPython{specifiers}")]
    }
}

/// Whether pytest imports a file, by its usual names.
fn is_test(name: &str) -> bool {
    name == "conftest.py" || name.ends_with("_test.py") || name.starts_with("test_") && name.ends_with(".py")
}

/// Major and minor version of `3.12.1` or `3.12`.
fn minor_version(version: &str) -> Option<&str> {
    let second_dot = version.match_indices('.').nth(1).map_or(version.len(), |(at, _)| at);
    let minor = &version[..second_dot];
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    minor.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor)).then_some(minor)
}
