//! Entry points as fields write them: `main.py:run`, `app.main`, `app.main:run`, `:bin`.

use crate::base::RelPath;
use crate::inference::module_map::module_name;
use crate::inference::source_root::SourceRoots;
use crate::targets::{Target, Value};

#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    pub name: String,
    /// Written as a file, below the BUILD file's folder.
    pub is_file: bool,
}

/// The module of a `pex_binary`'s entry point; nothing for a file that leaves the repository or has no source root.
pub fn module(written: &str, dir: &RelPath, roots: &SourceRoots) -> Option<Module> {
    let module = written.split(':').next().unwrap_or_default().trim();
    if !module.ends_with(".py") {
        return Some(Module { name: module.to_owned(), is_file: false });
    }
    let file = dir.resolve(module).ok()?;
    let stripped = file.strip_prefix(&roots.of_file(&file)?)?;
    Some(Module { name: module_name(stripped.as_str()), is_file: true })
}

/// All entry points of a `python_distribution`: its field's, then those among the arguments of what it provides.
pub fn of_distribution(target: &Target) -> Vec<String> {
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

/// The entry points that a `python_distribution` offers to stevedore: namespace, and what it names there. Only those of
/// its field, whose groups are written `stevedore_namespace("…")`.
pub fn of_extension(target: &Target) -> Vec<(&str, String)> {
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

/// The module of an entry point that is one: `app.main:run [extra]`.
pub fn module_part(written: &str) -> &str {
    written.split([':', '[']).next().unwrap_or_default().trim()
}

/// A `pex_binary` rather than a module.
pub fn is_address(written: &str) -> bool {
    written.starts_with(':') || written.contains('/')
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
        assert_eq!(module(written, &dir, &roots), expected, "{written}");
    }

    #[test]
    fn files_and_modules_are_told_apart() {
        check("main.py", Some(("app.main", true)));
        check("sub/main.py:run", Some(("app.sub.main", true)));
        check("__init__.py", Some(("app", true)));
        check("app.main", Some(("app.main", false)));
        check("app.main:run", Some(("app.main", false)));
        check("../../../main.py", None);
    }
}
