//! The settings of a repository without `pants.toml`, as they follow from the files of its projects: `pyproject.toml`, lockfiles and the
//! settings files of tools. They are written as the text of a `pants.toml`, so that `init` can save them. Which targets follow from
//! the files is decided in `session`.

mod project;
mod pytest;
mod tools;

use std::path::{Path, PathBuf};

use crate::config::implied::project::Projects;

/// The files that mark a project, the most telling first: a lockfile is in the root of a repository, a `pyproject.toml` may be in any of
/// its projects.
const MARKERS: [&[&str]; 2] =
    [&["uv.lock", "pylock.toml", "poetry.lock"], &["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt"]];

/// The lockfiles that can be used as they are.
const LOCKFILES: [&str; 3] = ["uv.lock", "pylock.toml", "poetry.lock"];

/// The name of the implied settings in messages, which is also the file that they mostly follow from.
pub(super) const ORIGIN: &str = "pyproject.toml";

/// The name of the resolve of the lockfile.
const RESOLVE: &str = "default";

/// The root of the project that contains a directory: the nearest directory with a lockfile, or else with another file of a project, but
/// none above a git repository.
pub fn find_root(cwd: &Path) -> Option<PathBuf> {
    let repository = cwd.ancestors().position(|dir| dir.join(".git").exists());
    let within = || cwd.ancestors().take(repository.map_or(usize::MAX, |depth| depth + 1));
    MARKERS.iter().find_map(|names| within().find(|dir| is_marked(dir, names))).map(Path::to_owned)
}

/// Whether a directory without `pants.toml` contains a project.
pub(super) fn applies_to(root: &Path) -> bool {
    !root.join("pants.toml").exists() && MARKERS.iter().any(|names| is_marked(root, names))
}

fn is_marked(dir: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| dir.join(name).is_file())
}

/// The texts of the settings in memory, in ascending precedence: those of [`pants_toml`] and [`WADERS_TOML`], and that targets are in
/// memory too.
pub(super) fn settings(root: &Path) -> [String; 2] {
    [pants_toml(root), format!("{WADERS_TOML}\n[reading]\nimplied_targets = true\n")]
}

/// What is ignored besides what `.gitignore` names: outputs, environments, and state of tools. Other hidden directories may contain data of
/// packages and tests.
const IGNORED: [&str; 18] = [
    "/dist/",
    "__pycache__",
    ".*cache/",
    ".claude/",
    ".direnv/",
    ".eggs/",
    ".git/",
    ".hg/",
    ".hypothesis/",
    ".idea/",
    ".ipynb_checkpoints/",
    ".jj/",
    ".nox/",
    ".pants.d/",
    ".svn/",
    ".tox/",
    ".venv/",
    ".vscode/",
];

/// The text of a `waders.toml` for a repository.
pub const WADERS_TOML: &str = "# A test may read every file of its project, as without a sandbox, except other tests. Its result is cached until one of them\n\
                               # changes. With `\"!**/*.py\"` in the list, it is cached until one of the modules changes that the test imports.\n\
                               [test]\nextra_inputs = [\"**/*\", \"!**/*.lock\", \"!**/BUILD\"]\nextra_inputs_by_project = true\n\n\
                               # Code can import what its project declares, and what that depends on.\n[python]\npackages_by_project = true\n\n\
                               # A file without tests is no failure, as for pytest with several files.\n\
                               [pytest]\nallow_empty_test_collection = true\n\n\
                               [python-infer]\nambiguity_resolution = \"nearest\"\n";

/// The text of a `pants.toml` for a repository.
pub fn pants_toml(root: &Path) -> String {
    let projects = Projects::read(root);
    let lockfile = LOCKFILES.iter().find(|name| root.join(name).is_file()).copied();
    let locked = lockfile.and_then(|name| std::fs::read_to_string(root.join(name)).ok()).unwrap_or_default();
    let is_locked = |package: &str| locked.contains(&format!("\nname = \"{package}\"\n"));
    let tools = tools::used(root, &projects);
    let mut text = String::from("[GLOBAL]\n");
    // The requirements in pyproject.toml have targets since this release.
    text += "pants_version = \"2.21.0\"\n";
    text += &list("backend_packages", std::iter::once("pants.backend.python").chain(tools::backends(&tools)));
    text += &list("pants_ignore", IGNORED);
    text += "\n[source]\n";
    text += &list("root_patterns", projects.source_roots().iter().map(String::as_str));
    text += "\n[python]\n";
    text += &list("interpreter_constraints", projects.interpreter_constraints().iter().map(String::as_str));
    text += &list("tailor_test_file_globs", projects.test_files().iter().map(String::as_str));
    if lockfile.is_none() {
        // Plugins of pytest are among the requirements, and no test imports them.
        text += "run_against_entire_lockfile = true\n";
    }
    if let Some(lockfile) = lockfile {
        text += &format!(
            "enable_resolves = true\ndefault_resolve = \"{RESOLVE}\"\n\n[python.resolves]\n{RESOLVE} = \"{lockfile}\"\n"
        );
    }
    // Tests replace attributes of modules that they name in strings.
    text += "\n[python-infer]\nambiguity_resolution = \"by_source_root\"\nunowned_dependency_behavior = \"ignore\"\n";
    text += "string_imports = true\nstring_imports_min_dots = 1\n";
    if is_locked("pytest") {
        text += &format!("\n[pytest]\ninstall_from_resolve = \"{RESOLVE}\"\n");
    }
    if lockfile.is_none() {
        for scope in std::iter::once("pytest").chain(tools.iter().map(|tool| tool.scope)) {
            let requirement = projects.requirement(scope).map(toml::Value::String);
            text += &requirement.map(|text| format!("\n[{scope}]\nversion = {text}\n")).unwrap_or_default();
        }
    }
    for tool in tools.iter().filter(|tool| is_locked(tool.scope)) {
        text += &format!(
            "\n[{0}]\ninstall_from_resolve = \"{RESOLVE}\"\n{1}",
            tool.scope,
            list("requirements", [tool.scope])
        );
    }
    text
}

/// Which of the targets that follow from files a repository without `pants.toml` has.
pub struct TargetRules {
    projects: Projects,
    has_lockfile: bool,
}

impl TargetRules {
    /// Reads the projects of a repository.
    pub fn read(root: &Path) -> TargetRules {
        let has_lockfile = LOCKFILES.iter().any(|name| root.join(name).is_file());
        TargetRules { projects: Projects::read(root), has_lockfile }
    }

    /// Whether a file has requirements that count. Next to a lockfile, a `requirements.txt` is about something else.
    pub fn counts_requirements(&self, file: &str) -> bool {
        !self.has_lockfile || file == "pyproject.toml"
    }

    /// Whether pytest runs the tests in a directory by default. `files` are their names.
    pub fn runs_tests(&self, dir: &str, files: &[String]) -> bool {
        self.projects.has_tests(dir, files)
    }
}

/// A line with a list of strings.
fn list<'t>(key: &str, items: impl IntoIterator<Item = &'t str>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| toml::Value::String(item.to_owned()).to_string()).collect();
    format!("{key} = [{}]\n", items.join(", "))
}

#[cfg(test)]
mod tests;
