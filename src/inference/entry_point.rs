//! Parses entry points as they are written in fields: `main.py:run`, `app.main`, `app.main:run`, `:bin`. Does not look up
//! the modules.

use std::collections::BTreeSet;

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
pub fn distribution_entry_points(target: &Target) -> impl Iterator<Item = &str> {
    groups(target).flat_map(|(_, entries)| pairs(entries)).flatten().map(|(_, written)| written)
}

/// The stevedore extensions of a `python_distribution`, as pairs of namespace and entry point. Only groups of the field
/// `entry_points` that are written `stevedore_namespace("…")` count.
pub fn stevedore_entry_points(target: &Target) -> impl Iterator<Item = (&str, &str)> {
    let groups = target.entries("entry_points").iter().filter_map(|(group, entries)| {
        let group = group.as_object().filter(|group| group.kind == "stevedore_namespace")?;
        Some((group.positional.first()?.as_str()?, entries))
    });
    groups.flat_map(|(name, entries)| pairs(entries).into_iter().flatten().map(move |(_, written)| (name, written)))
}

/// The console scripts of a `python_distribution`: pairs of name and entry point, sorted.
pub fn console_scripts(target: &Target) -> BTreeSet<(&str, &str)> {
    let scripts = groups(target).filter(|(group, _)| group.as_str() == Some("console_scripts"));
    scripts.flat_map(|(_, entries)| pairs(entries)).flatten().collect()
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
        let pairs = pairs(entries).into_iter().collect::<Option<Vec<_>>>()?;
        let entry = |(name, written): (&str, &str)| Entry {
            group: group.to_owned(),
            name: name.to_owned(),
            written: written.to_owned(),
        };
        found.extend(pairs.into_iter().map(entry));
    }
    Some(found)
}

/// The entry points of a distribution that a test requests, in the form of the field `entry_point_dependencies`: `*` for all,
/// a group, or a group and a name.
pub fn requested_entries(distribution: &Target, requests: &[&str]) -> Vec<Entry> {
    let is_requested = |entry: &Entry| {
        let full = format!("{}/{}", entry.group, entry.name);
        requests.iter().any(|request| *request == "*" || *request == entry.group || *request == full)
    };
    declarations(distribution).filter_map(entries).flatten().filter(is_requested).collect()
}

/// What declares the entry points of a distribution: the field `entry_points`, then the argument of `provides`.
fn declarations(distribution: &Target) -> impl Iterator<Item = &Value> {
    let artifact = distribution.object("provides");
    let field = distribution.fields.get("entry_points");
    field.into_iter().chain(artifact.and_then(|artifact| artifact.argument("entry_points")))
}

/// The groups of a distribution and their entries.
fn groups(distribution: &Target) -> impl Iterator<Item = &(Value, Value)> {
    declarations(distribution).filter_map(Value::as_dict).flatten()
}

/// The entries of a group: pairs of name and entry point; `None` for one that has another form.
fn pairs(entries: &Value) -> Vec<Option<(&str, &str)>> {
    match entries {
        Value::Dict(entries) => {
            entries.iter().map(|(name, written)| Some((name.as_str()?.trim(), written.as_str()?.trim()))).collect()
        }
        // The form of setuptools: `name = module:function`.
        entries => {
            let split = entries.strings().into_iter().map(|entry| entry.split_once('='));
            split.map(|pair| pair.map(|(name, written)| (name.trim(), written.trim()))).collect()
        }
    }
}

/// The module name in an entry point such as `app.main:run [extra]`.
pub fn module_part(written: &str) -> &str {
    written.split([':', '[']).next().unwrap_or_default().trim()
}

/// Whether the entry point is the address of a `pex_binary` rather than a module.
pub fn is_address(written: &str) -> bool {
    written.starts_with(':') || written.contains('/')
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
