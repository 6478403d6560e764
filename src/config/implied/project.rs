//! The projects of a repository: what their `pyproject.toml` says about source roots, interpreters and requirements.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ignore::WalkBuilder;
use toml::{Table, Value};

use crate::base::glob::Glob;
use crate::config::implied::pytest::{self, PytestSettings};
use crate::config::poetry;

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
    /// The settings of pytest there, if there are any.
    pytest: Option<PytestSettings>,
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
    /// Searches the repository, without what its own ignore files name: those above it belong to other repositories, such as one of
    /// the home directory. A file that cannot be parsed counts as empty: tools report its errors.
    pub(super) fn read(root: &Path) -> Projects {
        let (mut dirs, mut test_dirs) = (BTreeSet::new(), BTreeSet::new());
        let walk = WalkBuilder::new(root).max_depth(Some(DEPTH)).require_git(false).parents(false).build();
        for entry in walk.flatten() {
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
            let table: Table = text.parse().unwrap_or_default();
            Project {
                dir: dir.strip_prefix(root).unwrap_or(dir).to_string_lossy().into_owned(),
                pytest: PytestSettings::read(dir, &table),
                table,
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

    /// The directories to import from: `src` of each project that has one, the projects, what the settings of their build backends say,
    /// and the directories from which pytest imports.
    pub(super) fn source_roots(&self) -> Vec<String> {
        let mut roots = self.test_dirs.clone();
        for Project { dir, has_src, table, pytest } in &self.projects {
            let dir = if dir.is_empty() { String::new() } else { format!("/{dir}") };
            roots.extend(has_src.then(|| format!("{dir}/src")));
            let of_pytest = pytest.iter().flat_map(|settings| &settings.pythonpath).cloned();
            for declared in declared_roots(table).into_iter().chain(of_pytest) {
                let declared = declared.trim_start_matches("./").trim_matches('/').to_owned();
                if !declared.is_empty() && !declared.starts_with('.') {
                    roots.insert(format!("{dir}/{declared}"));
                }
            }
            roots.insert(if dir.is_empty() { "/".to_owned() } else { dir });
        }
        roots.into_iter().collect()
    }

    /// The names of test files, as globs: those of pytest's settings in the root, or else the usual ones.
    pub(super) fn test_files(&self) -> Vec<String> {
        let set = self.projects.first().and_then(|project| project.pytest.clone()).unwrap_or_default().python_files;
        if set.is_empty() { pytest::usual_test_files() } else { set }
    }

    /// Whether pytest finds tests in a directory when it runs without arguments. `dir` and `files`, the names of test files in it, are
    /// relative to the root.
    pub(super) fn has_tests(&self, dir: &str, files: &[String]) -> bool {
        let is_within =
            |project: &&Project| project.pytest.is_some() && (project.dir.is_empty() || is_below(dir, &project.dir));
        let Some(project) = self.projects.iter().filter(is_within).max_by_key(|project| project.dir.len()) else {
            return !PytestSettings::default().skips(dir);
        };
        let within = dir.strip_prefix(&project.dir).unwrap_or(dir).trim_start_matches('/');
        if project.pytest.as_ref().is_some_and(|settings| settings.skips(within)) {
            return false;
        }
        let testpaths = project.pytest.iter().flat_map(|settings| &settings.testpaths);
        let mut globs = testpaths.map(|path| path.trim_start_matches("./").trim_end_matches('/')).peekable();
        globs.peek().is_none()
            || globs.any(|path| {
                let is_match = |place: &str| Glob::compile(path).map_or(path == place, |glob| glob.matches(place));
                let mut above = std::iter::successors(Some(within), |dir| Some(dir.rsplit_once('/')?.0));
                let file = |name: &String| if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
                matches!(path, "" | ".") || above.any(is_match) || files.iter().any(|name| is_match(&file(name)))
            })
    }

    /// What the projects require of a distribution, such as `pytest>=8`; `None` if they do not restrict its version.
    pub(super) fn requirement(&self, name: &str) -> Option<String> {
        let tables = self.projects.iter().map(|project| &project.table);
        let lists = tables.flat_map(|table| {
            let groups = table.get("dependency-groups").and_then(Value::as_table);
            let project = table.get("project").and_then(Value::as_table);
            let extras = project.and_then(|project| project.get("optional-dependencies")).and_then(Value::as_table);
            let own = project.and_then(|project| project.get("dependencies"));
            groups.into_iter().chain(extras).flat_map(|lists| lists.values()).chain(own).collect::<Vec<_>>()
        });
        let mut texts = lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        texts.find_map(|text| {
            let text = text.split(';').next().unwrap_or_default().replace(' ', "");
            let rest = text.strip_prefix(name)?;
            let (extras, version) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).unwrap_or(("", rest));
            let is_restricted = version.starts_with(['<', '>', '=', '~', '!']);
            is_restricted.then(|| match extras {
                "" => format!("{name}{version}"),
                extras => format!("{name}[{extras}]{version}"),
            })
        })
    }

    /// The interpreters that all projects support. `.python-version` names one of them.
    pub(super) fn interpreter_constraints(&self) -> Vec<String> {
        let required = self.projects.iter().filter_map(|project| {
            let written = project.table.get("project").and_then(|table| table.get("requires-python")?.as_str());
            written.map(|text| text.replace(' ', "")).or_else(|| poetry_python(&project.table))
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

/// The interpreters in a dependency table of Poetry; `None` for alternatives, of which a requirement has only one.
fn poetry_python(table: &Table) -> Option<String> {
    let written = table.get("tool")?.get("poetry")?.get("dependencies")?.get("python")?.as_str()?;
    let converted = poetry::versions_without_alternatives(written)?;
    Some(if converted.is_empty() { ">=3".to_owned() } else { converted })
}

/// Directories to import from by the settings of build backends.
fn declared_roots(table: &Table) -> Vec<String> {
    let tool = |keys: &[&str]| keys.iter().try_fold(table.get("tool")?, |value, key| value.get(key));
    let texts = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let mut roots = texts(tool(&["hatch", "build", "dev-mode-dirs"]));
    roots.extend(texts(tool(&["hatch", "build", "targets", "wheel", "sources"])));
    roots.extend(texts(tool(&["setuptools", "packages", "find", "where"])));
    roots.extend(text(tool(&["setuptools", "package-dir", ""])));
    roots.extend(text(tool(&["uv", "build-backend", "module-root"])));
    roots.extend(text(tool(&["pdm", "build", "package-dir"])));
    let packages = tool(&["poetry", "packages"]).and_then(Value::as_array).into_iter().flatten();
    roots.extend(packages.filter_map(|package| text(package.get("from"))));
    roots
}

fn is_below(dir: &str, above: &str) -> bool {
    dir.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
