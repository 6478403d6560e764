//! Converts Poetry's dependency tables to PEP 508 requirements. Other formats are in `requirements`.

use toml::{Table, Value};

use crate::config::poetry::versions;
use crate::targets::first_party::Surroundings;
use crate::targets::requirements::{Parsed, add, at};

/// Adds the requirements of all dependency tables and groups to `parsed`.
pub(super) fn requirements(table: &Table, surroundings: &Surroundings, parsed: &mut Parsed) {
    let groups = at(table, &["tool", "poetry", "group"]).and_then(Value::as_table);
    let groups = groups.into_iter().flatten().map(|(_, group)| group.get("dependencies"));
    let main = [at(table, &["tool", "poetry", "dependencies"]), at(table, &["tool", "poetry", "dev-dependencies"])];
    for (name, entry) in main.into_iter().chain(groups).flatten().filter_map(Value::as_table).flatten() {
        if name == "python" {
            continue;
        }
        let entries = match entry {
            Value::Array(entries) => entries.iter().collect(),
            entry => vec![entry],
        };
        // As in Pants, a directory of this repository is first-party.
        let is_first_party = |entry: &Value| {
            entry.get("path").and_then(Value::as_str).is_some_and(|path| surroundings.is_project_dir(path))
        };
        for entry in entries.into_iter().filter(|entry| !is_first_party(entry)) {
            add(&requirement_text(name, entry), parsed);
        }
    }
}

/// A dependency of a table of Poetry as a requirement.
pub fn requirement_text(name: &str, entry: &Value) -> String {
    let Value::Table(entry) = entry else {
        return [name, &versions(entry.as_str().unwrap_or_default())].concat();
    };
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let extras: Vec<&str> =
        entry.get("extras").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    let from = match (text("git"), text("url"), text("path")) {
        (Some(git), ..) => {
            let revision = ["rev", "tag", "branch"].into_iter().find_map(text);
            let revision = revision.map_or(String::new(), |revision| format!("@{revision}"));
            let git = match git.strip_prefix("git@") {
                Some(host) => format!("ssh://git@{}", host.replacen(':', "/", 1)),
                None => git.to_owned(),
            };
            format!(" @ git+{git}{revision}")
        }
        (_, Some(url), _) => format!(" @ {url}"),
        (_, _, Some(path)) => format!(" @ file://{path}"),
        _ => versions(text("version").unwrap_or_default()),
    };
    let python = text("python").map(python_marker).filter(|marker| !marker.is_empty());
    let markers: Vec<String> = text("markers").map(|marker| format!("({marker})")).into_iter().chain(python).collect();
    let markers = if markers.is_empty() { String::new() } else { format!(";{}", markers.join(" and ")) };
    format!("{name}{extras}{from}{markers}")
}

/// Converts `^3.8` to a marker on `python_version`, which has two components.
fn python_marker(text: &str) -> String {
    let part = |part: &str| {
        let at = part.find(|char: char| char.is_ascii_digit()).unwrap_or(part.len());
        let (op, number) = part.split_at(at);
        let number: Vec<&str> = number.split('.').take(2).collect();
        format!("python_version{op}'{}'", number.join("."))
    };
    let alternatives = text.split("||").map(|alternative| {
        let parts = versions(alternative);
        parts.split(',').filter(|part| !part.is_empty()).map(part).collect::<Vec<_>>().join(" and ")
    });
    let alternatives: Vec<String> = alternatives.filter(|alternative| !alternative.is_empty()).collect();
    match alternatives.as_slice() {
        [] => String::new(),
        alternatives => format!("({})", alternatives.join(") or (")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let text = format!("[tool.poetry.dependencies]\npython = '^3.9'\n{line}\n");
        let file = RelPath::parse("app/pyproject.toml").expect("clean");
        let surroundings = Surroundings { file: &file, is_dir: &|dir| dir.as_str() == "lib", read: &|_| None };
        let parsed = crate::targets::requirements::parse("poetry_requirements", &surroundings, &text);
        let found: Vec<&str> = parsed.requirements.iter().map(|requirement| requirement.text.as_str()).collect();
        assert_eq!(found, expected, "{:?}", parsed.refused);
    }

    #[test]
    fn carets_and_tildes_become_bounds() {
        check("a = '^1.2'", &["a>=1.2,<2.0.0"]);
        check("a = '^0.2.3'", &["a>=0.2.3,<0.3.0"]);
        check("a = '^0.0'", &["a>=0.0,<0.1.0"]);
        check("a = '^1.2.3.4'", &["a>=1.2.3.4,<2.0.0"]);
        check("a = '^0.0.0.4'", &["a>=0.0.0.4,<0.0.1"]);
        check("a = '^2.0b1'", &["a>=2.0b1,<3.0.0"]);
        check("a = '~1.2.3'", &["a>=1.2.3,<1.3.0"]);
        check("a = '~1'", &["a>=1,<2.0.0"]);
        check("a = '23.*'", &["a>=23.0,<24.0.0"]);
        check("a = '1.2.*'", &["a>=1.2.0,<1.3.0"]);
        check("a = '==1.2.*'", &["a==1.2.*"]);
        check("a = '~=1.2'", &["a~=1.2"]);
        check("a = '*'", &["a"]);
        check("a = '1.2.3'", &["a==1.2.3"]);
        check("a = '>= 1, < 2'", &["a>=1,<2"]);
        check("a = '>=1.0 <2.0'", &["a>=1.0,<2.0"]);
        check("a = '^'", &[]);
        check("a = '^x.1'", &[]);
    }

    #[test]
    fn a_directory_of_the_repository_is_first_party() {
        check("a = {path = '../lib', develop = true}", &[]);
        check("a = {path = '../../elsewhere'}", &["a @ file://../../elsewhere"]);
    }

    #[test]
    fn tables_preserve_extras_sources_and_markers() {
        check("a = {version = '^1', extras = ['x', 'y']}", &["a[x,y]>=1,<2.0.0"]);
        check("a = {git = 'https://h.invalid/a', rev = 'b'}", &["a @ git+https://h.invalid/a@b"]);
        check(
            "a = [{version = '1', python = '<3.8'}, {version = '2', markers = \"os_name == 'x'\"}]",
            &["a==1;(python_version<'3.8')", "a==2;(os_name == 'x')"],
        );
        check("a = {version = '1', python = '^3.8.1'}", &["a==1;(python_version>='3.8' and python_version<'4.0')"]);
    }
}
