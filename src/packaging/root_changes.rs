//! Whether two versions of the `pyproject.toml` in the root of a workspace differ for all projects. Which packages a change adds or
//! updates is compared in `lockfile::uv_changes`.

use toml::{Table, Value};

/// The name of the file.
pub const FILE_NAME: &str = "pyproject.toml";

/// Whether all projects are concerned: not if the versions differ only in the project of the root, and in what decides about packages, which
/// the lockfile records.
pub fn concern_all(old: &str, new: &str) -> bool {
    let parse = |text: &str| text.parse::<Table>().ok().map(shared);
    match (parse(old), parse(new)) {
        (Some(old), Some(new)) => old != new,
        _ => true,
    }
}

/// What applies to all projects: the settings of tools, and the supported versions of Python.
fn shared(mut pyproject: Table) -> (Table, Option<Value>) {
    let project = pyproject.remove("project");
    let python = project.as_ref().and_then(|project| project.get("requires-python")).cloned();
    pyproject.remove("dependency-groups");
    pyproject.remove("build-system");
    if let Some(tools) = pyproject.get_mut("tool").and_then(Value::as_table_mut) {
        tools.remove("uv");
        if tools.is_empty() {
            pyproject.remove("tool");
        }
    }
    (pyproject, python)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "[project]\nname = 'app'\nrequires-python = '>=3.11'\n[tool.mypy]\nstrict = true\n";

    fn check(new: &str, expected: bool) {
        assert_eq!(concern_all(OLD, new), expected, "{new}");
    }

    #[test]
    fn packages_and_the_project_of_the_root_concern_no_other_project() {
        check(&OLD.replace("name = 'app'", "name = 'app'\ndependencies = ['six']"), false);
        check(&(OLD.to_owned() + "[dependency-groups]\ndev = ['pytest']\n[tool.uv]\npackage = false\n"), false);
        assert!(!concern_all("", "[build-system]\nrequires = []\n[tool.uv.sources]\nx = { workspace = true }\n"));
    }

    #[test]
    fn settings_of_tools_and_the_version_of_python_concern_all() {
        check(&OLD.replace("true", "false"), true);
        check(&OLD.replace("3.11", "3.12"), true);
        check("[project", true);
    }
}
