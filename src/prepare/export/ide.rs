//! Settings of editors and type checkers for an exported environment. They are written beside the environments and never replace a
//! file of the user, who includes or copies them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::base::{RelPath, replace_file};
use crate::prepare::Error;
use crate::report;

/// The names that `[export] ide` accepts.
pub const NAMES: [&str; 3] = ["pyright", "ty", "vscode"];

/// What the settings are about.
pub struct Workspace<'a> {
    /// The build root, absolute.
    pub build_root: &'a Path,
    /// The directory for the settings, absolute.
    pub directory: PathBuf,
    /// The directory for results, absolute.
    pub dist_dir: &'a Path,
    /// The stable path of the environment, absolute.
    pub environment: &'a Path,
    /// The source roots.
    pub source_roots: &'a BTreeSet<RelPath>,
    /// Major and minor version of the interpreter, such as `3.11`.
    pub python_version: &'a str,
}

/// Writes the settings of one editor or type checker. Returns the paths.
pub fn write(name: &str, workspace: &Workspace<'_>) -> Result<Vec<PathBuf>, Error> {
    let files = match name {
        "pyright" => vec![("pyrightconfig.json", pyright(workspace))],
        "ty" => vec![("ty.toml", ty(workspace))],
        "vscode" => vec![("vscode-settings.json", vscode(workspace)), ("python.env", variables(workspace))],
        _ => return Err(Error::UnknownIde(name.to_owned())),
    };
    let directory = &workspace.directory;
    std::fs::create_dir_all(directory).map_err(Error::export("create", directory))?;
    let write = |(name, text): (&str, String)| {
        let path = directory.join(name);
        replace_file(&path, text.as_bytes()).map_err(Error::export("write", &path))?;
        Ok(path)
    };
    files.into_iter().map(write).collect()
}

/// Paths relative to the file, so that a file of the user can extend it (`"extends"`) on every machine.
fn pyright(workspace: &Workspace<'_>) -> String {
    let root = up(workspace);
    let roots: Vec<String> = workspace.source_roots.iter().map(|source| joined(&root, source)).collect();
    let environment = workspace.environment;
    let name = environment.file_name().unwrap_or_default().to_string_lossy();
    let parent = environment.parent().unwrap_or(environment);
    let parent = parent.strip_prefix(workspace.build_root).unwrap_or(parent).to_string_lossy().into_owned();
    let settings = json!({
        "include": [root],
        "exclude": ["**/node_modules", "**/__pycache__", "**/.*", format!("{root}/{}", relative(workspace, workspace.dist_dir))],
        "extraPaths": roots,
        "venvPath": format!("{root}/{parent}"),
        "venv": name,
        "pythonVersion": workspace.python_version,
        "pythonPlatform": "Linux",
    });
    report::pretty(&settings, 2) + "\n"
}

/// ty reads paths relative to its project, which is the current directory.
fn ty(workspace: &Workspace<'_>) -> String {
    let roots: Vec<String> = workspace.source_roots.iter().map(|root| joined(".", root)).collect();
    let mut environment = toml::Table::new();
    environment.insert("python".to_owned(), relative(workspace, workspace.environment).into());
    environment.insert("python-version".to_owned(), workspace.python_version.into());
    environment.insert("root".to_owned(), roots.into());
    let settings = toml::Table::from_iter([("environment".to_owned(), toml::Value::Table(environment))]);
    toml::to_string(&settings).expect("a table of texts can be written")
}

fn vscode(workspace: &Workspace<'_>) -> String {
    let folder = |path: &str| format!("${{workspaceFolder}}/{path}");
    let roots: Vec<String> = workspace.source_roots.iter().map(|root| joined("${workspaceFolder}", root)).collect();
    let environment = relative(workspace, workspace.environment);
    let settings = json!({
        "python.defaultInterpreterPath": folder(&format!("{environment}/bin/python")),
        "python.analysis.extraPaths": roots,
        "python.envFile": folder(&relative(workspace, &workspace.directory.join("python.env"))),
    });
    report::pretty(&settings, 2) + "\n"
}

/// The variables with which the interpreter finds the sources of the repository.
fn variables(workspace: &Workspace<'_>) -> String {
    let root = workspace.build_root.to_string_lossy();
    let roots: Vec<String> = workspace.source_roots.iter().map(|source| joined(&root, source)).collect();
    format!("PYTHONPATH={}\n", roots.join(":"))
}

/// The path from the directory of the settings to the build root.
fn up(workspace: &Workspace<'_>) -> String {
    match workspace.directory.strip_prefix(workspace.build_root) {
        Ok(below) => vec![".."; below.components().count()].join("/"),
        Err(_) => workspace.build_root.to_string_lossy().into_owned(),
    }
}

/// A path relative to the build root, or absolute if it is not below.
fn relative(workspace: &Workspace<'_>, path: &Path) -> String {
    path.strip_prefix(workspace.build_root).unwrap_or(path).to_string_lossy().into_owned()
}

fn joined(root: &str, path: &RelPath) -> String {
    if path.is_root() { root.to_owned() } else { format!("{root}/{path}") }
}
