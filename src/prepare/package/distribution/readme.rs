//! The long description that a project's own pyproject.toml names. Some backends build a wheel without it if the file is not among
//! the sources, and others fail with a traceback, so its absence is reported before the build. Generated setup is in
//! `metadata`.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::base::RelPath;
use crate::session::Session;
use crate::targets::{Target, TargetGraph};

/// Warns about each file that pyproject.toml in `dir` names as long description, and that is not among the sources.
pub(super) fn warn_if_missing(
    session: &Session,
    graph: &TargetGraph,
    target: &Target,
    dir: &RelPath,
    origins: &BTreeMap<RelPath, RelPath>,
) {
    let Some(project) = dir.push("pyproject.toml").ok().filter(|file| origins.contains_key(file)) else { return };
    let Ok(text) = session.context.tracker.read_to_string(&project.to_path(session.build_root())) else { return };
    for name in readmes(&text) {
        let Some(path) = dir.resolve(&name).ok().filter(|path| !origins.contains_key(path)) else { continue };
        let message = format!(
            "{}: `{project}` names the long description `{name}`, which is not among its sources",
            target.address
        );
        let hint = match graph.owners(&path).first() {
            Some(owner) => format!("add `\"{owner}\"` to its `dependencies`"),
            None => format!(
                "add `resource(name=\"readme\", source=\"{name}\")` to the BUILD file, and `\":readme\"` to its `dependencies`"
            ),
        };
        session.ui.warn_with_hint(&message, &hint);
    }
}

/// The files in `readme` of `[project]` (PEP 621) and of `[tool.poetry]`, which can be a list.
fn readmes(pyproject: &str) -> Vec<String> {
    let Ok(table) = pyproject.parse::<Table>() else { return Vec::new() };
    let poetry = || table.get("tool")?.get("poetry")?.get("readme");
    let project = || table.get("project")?.get("readme");
    let entries = [project(), poetry()].into_iter().flatten().flat_map(|entry| match entry {
        Value::Array(entries) => entries.iter().collect(),
        entry => vec![entry],
    });
    let name = |entry: &Value| entry.get("file").unwrap_or(entry).as_str().map(str::to_owned);
    entries.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_descriptions_are_found_in_all_forms() {
        let check = |text: &str, expected: &[&str]| assert_eq!(readmes(text), expected, "{text}");
        check("[project]\nreadme = 'README.md'", &["README.md"]);
        check("[project]\nreadme = {file = 'docs/a.rst', content-type = 'text/x-rst'}", &["docs/a.rst"]);
        check("[project]\nreadme = {text = 'long', content-type = 'text/plain'}", &[]);
        check("[tool.poetry]\nreadme = ['README.md', 'CHANGES.md']", &["README.md", "CHANGES.md"]);
        check("[project]\nname = 'a'", &[]);
        check("[project", &[]);
    }
}
