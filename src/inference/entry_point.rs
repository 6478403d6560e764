//! Parses entry points as they are written in fields: `main.py:run`, `app.main`, `app.main:run`, `:bin`. Does not look up
//! the modules.

use crate::base::RelPath;
use crate::inference::module_map::module_name;
use crate::inference::source_root::SourceRoots;
use crate::targets::{Target, Value};

/// The module of an entry point.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// The full module name.
    pub name: String,
    /// Whether it was written as a path relative to the directory of the BUILD file.
    pub is_file: bool,
}

/// The module of a `pex_binary`'s entry point; `None` for a file outside the repository or without a source root.
pub fn parse_module(written: &str, dir: &RelPath, roots: &SourceRoots) -> Option<Module> {
    let module = written.split(':').next().unwrap_or_default().trim();
    if !module.ends_with(".py") {
        return Some(Module { name: module.to_owned(), is_file: false });
    }
    let file = dir.resolve(module).ok()?;
    let stripped = file.strip_prefix(&roots.find_for_file(&file)?)?;
    Some(Module { name: module_name(stripped.as_str()), is_file: true })
}

/// All entry points of a `python_distribution`: those of the field `entry_points`, then those in the arguments of
/// `provides`.
pub fn distribution_entry_points(target: &Target) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(groups) = target.fields.get("entry_points") {
        collect(groups, &mut found);
    }
    if let Some(Value::Object(artifact)) = target.fields.get("provides") {
        let named = artifact.named.iter();
        named.filter(|(name, _)| name == "entry_points").for_each(|(_, groups)| collect(groups, &mut found));
    }
    found
}

/// The stevedore extensions of a `python_distribution`, as pairs of namespace and entry point. Only groups of the field
/// `entry_points` that are written `stevedore_namespace("…")` count.
pub fn stevedore_entry_points(target: &Target) -> Vec<(&str, String)> {
    let Some(Value::Dict(groups)) = target.fields.get("entry_points") else { return Vec::new() };
    let mut found = Vec::new();
    for (group, entries) in groups {
        let Value::Object(group) = group else { continue };
        let Some(namespace) = group.positional.first().and_then(Value::as_str) else { continue };
        if group.kind == "stevedore_namespace" {
            let mut written = Vec::new();
            collect_group(entries, &mut written);
            found.extend(written.into_iter().map(|written| (namespace, written)));
        }
    }
    found
}

/// One entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The group, such as `console_scripts`.
    pub group: String,
    /// The name in the group.
    pub name: String,
    /// The module and function, or the address of a `pex_binary`.
    pub written: String,
}

/// The entry points in a value of the field `entry_points`, or of the argument of `python_artifact` with this name. `None` if
/// the value does not have the form that setuptools expects.
pub fn entries(groups: &Value) -> Option<Vec<Entry>> {
    let Value::Dict(groups) = groups else { return None };
    let mut found = Vec::new();
    for (group, entries) in groups {
        let group = match group {
            Value::Object(object) => object.positional.first().and_then(Value::as_str)?,
            group => group.as_str()?,
        };
        let pairs: Vec<(&str, &str)> = match entries {
            Value::Dict(entries) => entries
                .iter()
                .map(|(name, written)| Some((name.as_str()?, written.as_str()?)))
                .collect::<Option<_>>()?,
            // The form of setuptools: `name = module:function`.
            entries => entries.strings().into_iter().map(|entry| entry.split_once('=')).collect::<Option<_>>()?,
        };
        let entry = |(name, written): (&str, &str)| Entry {
            group: group.to_owned(),
            name: name.trim().to_owned(),
            written: written.trim().to_owned(),
        };
        found.extend(pairs.into_iter().map(entry));
    }
    Some(found)
}

/// The entry points of a distribution that a test requests, in the form of the field `entry_point_dependencies`: `*` for all,
/// a group, or a group and a name.
pub fn requested_entries(distribution: &Target, requests: &[&str]) -> Vec<Entry> {
    let artifact = distribution.fields.get("provides").and_then(Value::as_object);
    let named = artifact.and_then(|artifact| artifact.named.iter().find(|(name, _)| name == "entry_points"));
    let groups = distribution.fields.get("entry_points").into_iter().chain(named.map(|(_, groups)| groups));
    let all = groups.filter_map(entries).flatten();
    let is_requested = |entry: &Entry| {
        let full = format!("{}/{}", entry.group, entry.name);
        requests.iter().any(|request| *request == "*" || *request == entry.group || *request == full)
    };
    all.filter(is_requested).collect()
}

/// The module name in an entry point such as `app.main:run [extra]`.
pub fn module_part(written: &str) -> &str {
    written.split([':', '[']).next().unwrap_or_default().trim()
}

/// Whether the entry point is the address of a `pex_binary` rather than a module.
pub fn is_address(written: &str) -> bool {
    written.starts_with(':') || written.contains('/')
}

/// The console scripts of a `python_distribution`: pairs of name and entry point, sorted.
pub fn console_scripts(target: &Target) -> Vec<(String, String)> {
    let artifact = match target.fields.get("provides") {
        Some(Value::Object(artifact)) => artifact.named.as_slice(),
        _ => &[],
    };
    let provided = artifact.iter().filter(|(name, _)| name == "entry_points").map(|(_, groups)| groups);
    let mut found: Vec<(String, String)> = Vec::new();
    for groups in target.fields.get("entry_points").into_iter().chain(provided) {
        let Value::Dict(groups) = groups else { continue };
        let scripts = groups.iter().filter(|(group, _)| group.as_str() == Some("console_scripts"));
        scripts.for_each(|(_, entries)| collect_named(entries, &mut found));
    }
    found.sort();
    found.dedup();
    found
}

fn collect_named(entries: &Value, found: &mut Vec<(String, String)>) {
    match entries {
        Value::Dict(entries) => {
            let pair =
                |(name, written): &(Value, Value)| Some((name.as_str()?.to_owned(), written.as_str()?.to_owned()));
            found.extend(entries.iter().filter_map(pair));
        }
        // setuptools' own form: `name = module:function`.
        entries => {
            let written = entries.strings().into_iter().filter_map(|entry| entry.split_once('='));
            found.extend(written.map(|(name, written)| (name.trim().to_owned(), written.trim().to_owned())));
        }
    }
}

fn collect(groups: &Value, found: &mut Vec<String>) {
    let Value::Dict(groups) = groups else { return };
    groups.iter().for_each(|(_, entries)| collect_group(entries, found));
}

fn collect_group(entries: &Value, found: &mut Vec<String>) {
    match entries {
        Value::Dict(entries) => {
            found.extend(entries.iter().filter_map(|(_, written)| written.as_str()).map(str::to_owned));
        }
        // setuptools' own form: `name = module:function`.
        entries => {
            let written = entries.strings().into_iter().filter_map(|entry| entry.split_once('='));
            found.extend(written.map(|(_, written)| written.trim().to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: Option<(&str, bool)>) {
        let roots = SourceRoots::new(&["src"], &[], &[]).expect("patterns");
        let dir = RelPath::parse("src/app").expect("clean");
        let expected = expected.map(|(name, is_file)| Module { name: name.to_owned(), is_file });
        assert_eq!(parse_module(written, &dir, &roots), expected, "{written}");
    }

    #[test]
    fn files_and_modules_are_distinguished() {
        check("main.py", Some(("app.main", true)));
        check("sub/main.py:run", Some(("app.sub.main", true)));
        check("__init__.py", Some(("app", true)));
        check("app.main", Some(("app.main", false)));
        check("app.main:run", Some(("app.main", false)));
        check("../../../main.py", None);
    }
}
