//! The metadata of a project with a pyproject.toml, as an editable installation of it would have: name, version, requirements
//! and entry points, without its code. Nothing is built: where its version comes from is in `project_version`.

use std::collections::BTreeMap;
use std::fmt::Write;

use toml::{Table, Value};
use uv_normalize::PackageName;
use uv_pep440::Version;

use crate::packaging::project_version::VersionSource;

/// The version of projects whose build backend computes it.
const UNKNOWN_VERSION: &str = "0.0.0";

/// The metadata of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The normalized name.
    pub name: PackageName,
    /// The directory of the metadata in `site-packages`, such as `acme_app-1.0.dist-info`.
    pub dist_info: String,
    /// The text of `METADATA`.
    pub metadata: String,
    /// The text of `entry_points.txt`; empty without entry points.
    pub entry_points: String,
}

impl Project {
    /// The project in the text of a pyproject.toml: the section `[project]`, or else `[tool.poetry]`, whose requirements are
    /// not listed. `None` if the text is not valid or names no project. `find_version` finds the version if it can.
    pub fn parse(text: &str, find_version: &dyn Fn(&VersionSource) -> Option<String>) -> Option<Project> {
        let pyproject: Table = text.parse().ok()?;
        let poetry = || pyproject.get("tool")?.get("poetry")?.as_table();
        let table = pyproject.get("project").and_then(Value::as_table).or_else(poetry)?;
        let written = table.get("name")?.as_str()?;
        let name: PackageName = written.parse().ok()?;
        let version = find_version(&VersionSource::read(&pyproject)).and_then(|text| text.parse().ok());
        let version: Version = version.unwrap_or_else(|| UNKNOWN_VERSION.parse().expect("a valid version"));
        let mut metadata = format!("Metadata-Version: 2.1\nName: {written}\nVersion: {version}\n");
        if let Some(summary) = table.get("description").and_then(Value::as_str).filter(|text| !text.contains('\n')) {
            let _ = writeln!(metadata, "Summary: {summary}");
        }
        if let Some(python) = table.get("requires-python").and_then(Value::as_str) {
            let _ = writeln!(metadata, "Requires-Python: {python}");
        }
        metadata += &description(table);
        metadata += &requirements(table);
        let dist_info = format!("{}-{version}.dist-info", name.as_dist_info_name());
        Some(Project { name, dist_info, metadata, entry_points: entry_points(table) })
    }
}

/// The lines about people, licence, search words and places, as PEP 621 maps them to metadata.
fn description(table: &Table) -> String {
    let mut lines = String::new();
    for (key, header) in [("authors", "Author"), ("maintainers", "Maintainer")] {
        let people = table.get(key).and_then(Value::as_array).into_iter().flatten();
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        for person in people {
            let text = |key: &str| person.get(key).and_then(Value::as_str);
            match (text("name"), text("email")) {
                (Some(name), Some(email)) => addresses.push(format!("{name} <{email}>")),
                (None, Some(email)) => addresses.push(email.to_owned()),
                (Some(name), None) => names.push(name.to_owned()),
                (None, None) => {}
            }
        }
        for (suffix, list) in [("", names), ("-email", addresses)] {
            if !list.is_empty() {
                let _ = writeln!(lines, "{header}{suffix}: {}", list.join(", "));
            }
        }
    }
    let texts = |key: &str| table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    if let Some(license) = table.get("license").and_then(Value::as_str) {
        let _ = writeln!(lines, "License-Expression: {license}");
    }
    let keywords: Vec<&str> = texts("keywords").collect();
    if !keywords.is_empty() {
        let _ = writeln!(lines, "Keywords: {}", keywords.join(","));
    }
    for classifier in texts("classifiers") {
        let _ = writeln!(lines, "Classifier: {classifier}");
    }
    for (label, url) in table.get("urls").and_then(Value::as_table).into_iter().flatten() {
        if let Some(url) = url.as_str() {
            let _ = writeln!(lines, "Project-URL: {label}, {url}");
        }
    }
    lines
}

/// The lines `Requires-Dist` and `Provides-Extra`.
fn requirements(table: &Table) -> String {
    let mut lines = String::new();
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    for text in table.get("dependencies").map(texts).unwrap_or_default() {
        let _ = writeln!(lines, "Requires-Dist: {text}");
    }
    for (extra, list) in table.get("optional-dependencies").and_then(Value::as_table).into_iter().flatten() {
        let _ = writeln!(lines, "Provides-Extra: {extra}");
        for text in texts(list) {
            let condition = format!("extra == \"{extra}\"");
            let _ = match text.split_once(';') {
                Some((text, marker)) => {
                    writeln!(lines, "Requires-Dist: {}; ({}) and {condition}", text.trim(), marker.trim())
                }
                None => writeln!(lines, "Requires-Dist: {text}; {condition}"),
            };
        }
    }
    lines
}

/// The text of `entry_points.txt`, with sorted groups. Poetry names groups of its own `plugins`.
fn entry_points(table: &Table) -> String {
    let mut groups: BTreeMap<&str, &Table> = BTreeMap::new();
    for (key, group) in [("scripts", "console_scripts"), ("gui-scripts", "gui_scripts")] {
        groups.extend(table.get(key).and_then(Value::as_table).map(|entries| (group, entries)));
    }
    for key in ["entry-points", "plugins"] {
        let named = table.get(key).and_then(Value::as_table).into_iter().flatten();
        groups.extend(named.filter_map(|(group, entries)| Some((group.as_str(), entries.as_table()?))));
    }
    let mut text = String::new();
    for (group, entries) in groups {
        let _ = writeln!(text, "[{group}]");
        for (name, target) in entries {
            // Poetry also has tables here, which describe scripts that are files.
            if let Some(target) = target.as_str() {
                let _ = writeln!(text, "{name} = {target}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Project> {
        Project::parse(text, &|source| source.find(&|_| None, &|| Some("v3.1".to_owned())))
    }

    #[test]
    fn a_project_has_its_requirements_and_entry_points() {
        let project = parse(
            "[project]\nname = \"Acme.App\"\nversion = \"1.0rc1\"\nrequires-python = \">=3.9\"\ndependencies = [\"six\"]\n\
             [project.optional-dependencies]\ncli = [\"click>8\", \"rich; python_version > '3'\"]\n\
             [project.scripts]\nacme = \"acme.cli:main\"\n[project.entry-points.\"acme.plugins\"]\nx = \"acme.x\"\n",
        )
        .unwrap();
        assert_eq!(project.dist_info, "acme_app-1.0rc1.dist-info");
        let expected = "Metadata-Version: 2.1\nName: Acme.App\nVersion: 1.0rc1\nRequires-Python: >=3.9\nRequires-Dist: six\n\
                        Provides-Extra: cli\nRequires-Dist: click>8; extra == \"cli\"\n\
                        Requires-Dist: rich; (python_version > '3') and extra == \"cli\"\n";
        assert_eq!(project.metadata, expected);
        assert_eq!(project.entry_points, "[acme.plugins]\nx = acme.x\n[console_scripts]\nacme = acme.cli:main\n");
    }

    #[test]
    fn a_project_has_its_people_and_places() {
        let project = parse(
            "[project]\nname = 'a'\nversion = '1'\nauthors = [{name = 'Joe', email = 'j@example.invalid'}, {name = 'Eve'}]\n\
             license = 'MIT'\nkeywords = ['x', 'y']\nclassifiers = ['Typing :: Typed']\n[project.urls]\nHome = 'https://example.invalid'\n",
        );
        let expected = "Author: Eve\nAuthor-email: Joe <j@example.invalid>\nLicense-Expression: MIT\nKeywords: x,y\n\
                        Classifier: Typing :: Typed\nProject-URL: Home, https://example.invalid\n";
        assert!(project.unwrap().metadata.ends_with(expected));
    }

    #[test]
    fn a_project_of_poetry_has_its_scripts() {
        let text = "[tool.poetry]\nname = \"p\"\nversion = \"2\"\n[tool.poetry.scripts]\np = \"p:main\"\nf = { reference = \"f\" }\n";
        assert_eq!(parse(text).unwrap().entry_points, "[console_scripts]\np = p:main\n");
    }

    #[test]
    fn a_version_that_is_computed_is_unknown_and_settings_of_tools_are_no_project() {
        let dynamic = parse("[project]\nname = \"a\"\ndynamic = [\"version\"]\n").unwrap();
        assert_eq!(dynamic.dist_info, "a-0.0.0.dist-info");
        let tagged = parse("[project]\nname = \"a\"\n[tool.setuptools_scm]\n").unwrap();
        assert_eq!(tagged.dist_info, "a-3.1.dist-info");
        assert_eq!(parse("[tool.black]\nline-length = 100\n"), None);
        assert_eq!(parse("[project]\nname = \"not a name!\"\n"), None);
        assert_eq!(parse("[project"), None);
    }
}
