//! Requirements that name a project of this repository: its own name in its extras, members of a uv workspace, and
//! dependencies by path. They are first-party sources, so that no third-party target is generated for them.

use toml::{Table, Value};

use crate::base::RelPath;
use crate::targets::requirements::{at, normalized};
use crate::targets::workspace::project_names;

/// Access to the repository that a file of requirements belongs to.
pub(super) struct Surroundings<'a> {
    /// The file of requirements.
    pub file: &'a RelPath,
    /// Whether the repository has a directory.
    pub is_dir: &'a dyn Fn(&RelPath) -> bool,
    /// Reads a file of the repository. `None` if it cannot be read.
    pub read: &'a dyn Fn(&RelPath) -> Option<String>,
}

impl Surroundings<'_> {
    /// Whether a path in the file of requirements names a directory of this repository.
    pub(super) fn is_project_dir(&self, path: &str) -> bool {
        let dir = self.file.parent().unwrap_or_default();
        dir.resolve(path).is_ok_and(|dir| (self.is_dir)(&dir))
    }
}

/// The normalized names of the projects in a `pyproject.toml` that are sources of this repository.
pub(super) fn names(table: &Table, surroundings: &Surroundings) -> Vec<String> {
    let mut names: Vec<String> = project_names(table).map(normalized).collect();
    let own_sources = sources(table);
    let has_own = |name: &str| own_sources.iter().any(|(own, _)| normalized(own) == normalized(name));
    names.extend(local_names(&own_sources, surroundings));
    // The sources of a workspace's root apply to all members that do not set their own.
    if let Some((root, file)) = workspace_root(table, surroundings) {
        let inherited: Vec<_> = sources(&root).into_iter().filter(|(name, _)| !has_own(name)).collect();
        names.extend(local_names(&inherited, &Surroundings { file: &file, ..*surroundings }));
    }
    names.extend(projects_above(surroundings));
    names
}

/// The normalized names of the projects in the directory of a file and above: an example requires the project that it belongs to.
pub(super) fn projects_above(surroundings: &Surroundings) -> Vec<String> {
    let dir = surroundings.file.parent().unwrap_or_default();
    let name = |above: RelPath| {
        let table: Table = (surroundings.read)(&above.push("pyproject.toml").ok()?)?.parse().ok()?;
        at(&table, &["project", "name"])?.as_str().map(normalized)
    };
    std::iter::once(dir.clone()).chain(dir.ancestors()).filter_map(name).collect()
}

fn sources(table: &Table) -> Vec<(&String, &Value)> {
    at(table, &["tool", "uv", "sources"]).and_then(Value::as_table).into_iter().flatten().collect()
}

fn local_names(sources: &[(&String, &Value)], surroundings: &Surroundings) -> Vec<String> {
    let is_local = |source: &Value| {
        source.get("workspace").and_then(Value::as_bool) == Some(true)
            || source.get("path").and_then(Value::as_str).is_some_and(|path| surroundings.is_project_dir(path))
    };
    let any_is_local = |source: &Value| match source {
        Value::Array(sources) => sources.iter().any(is_local),
        source => is_local(source),
    };
    sources.iter().filter(|(_, source)| any_is_local(source)).map(|(name, _)| normalized(name)).collect()
}

/// The nearest `pyproject.toml` above the file that declares a uv workspace.
fn workspace_root(table: &Table, surroundings: &Surroundings) -> Option<(Table, RelPath)> {
    if at(table, &["tool", "uv", "workspace"]).is_some() {
        return None;
    }
    let dir = surroundings.file.parent()?;
    dir.ancestors().find_map(|above| {
        let file = above.push("pyproject.toml").ok()?;
        let table = (surroundings.read)(&file)?.parse::<Table>().ok()?;
        at(&table, &["tool", "uv", "workspace"]).is_some().then_some((table, file))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[project]\nname = 'The.Root'\n[tool.uv.workspace]\nmembers = ['packages/*']\n[tool.uv.sources]\nshared = {workspace = true}\nlib = {path = 'packages/lib'}\nover = {workspace = true}\n";

    #[track_caller]
    fn check(file: &str, text: &str, expected: &[&str]) {
        let file = RelPath::parse(file).expect("clean");
        let surroundings = Surroundings {
            file: &file,
            is_dir: &|dir| dir.as_str() == "packages/lib",
            read: &|file| (file.as_str() == "pyproject.toml").then(|| ROOT.to_owned()),
        };
        let mut found = names(&text.parse().expect("TOML"), &surroundings);
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn members_paths_and_the_project_itself_are_first_party() {
        let app = "packages/app/pyproject.toml";
        check(app, "[project]\nname = 'My_App'\n", &["lib", "my-app", "over", "shared", "the-root"]);
        check(app, "[tool.poetry]\nname = 'app'\n[tool.uv.workspace]\n", &["app", "the-root"]);
        let own = "[tool.uv.sources]\nover = {index = 'x'}\nlib2 = {path = '../lib', editable = true}\nfar = {path = '../../../far'}\nmore = [{path = '../lib', marker = \"os_name == 'x'\"}]\n";
        check(app, own, &["lib", "lib2", "more", "shared", "the-root"]);
        // A member directly below the root of the workspace, and the root itself.
        check("app/pyproject.toml", "[project]\nname = 'app'\n", &["app", "lib", "over", "shared", "the-root"]);
        check("pyproject.toml", ROOT, &["lib", "over", "shared", "the-root", "the-root"]);
    }
}
