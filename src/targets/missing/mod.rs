//! Finds missing targets for files without an owner, as the goal `tailor` of Pants does, and chooses their names. BUILD
//! files are written in `goals`, and missing binaries are found in `inference`.

mod conflicts;
mod rules;
mod stanza;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::Config;
use crate::config::typed::{GlobalSettings, PythonSettings};
use crate::targets::TargetGraph;
use crate::targets::first_party::Surroundings;
use crate::targets::requirements::{self, Parsed};
use crate::targets::settings::is_release_at_least;

pub use conflicts::resolve_conflicts;
use rules::{ContentRule, DirRule, FAMILIES, FILE_RULES, FileRule, RuleFamily, default_sources};
pub use rules::{PYTHON, is_backend_enabled, options};
pub use stanza::{FieldValue, MissingTarget, append_targets};

/// The directories to search, and what the search uses.
pub struct SearchInput<'a> {
    /// All existing targets.
    pub graph: &'a TargetGraph,
    /// Options of the section `tailor` and of the backends.
    pub config: &'a Config,
    /// The directories to search. Their subdirectories are not searched.
    pub dirs: &'a BTreeSet<RelPath>,
    /// Reads a file. `None` if it cannot be read.
    pub read: &'a dyn Fn(&RelPath) -> Option<Vec<u8>>,
}

/// MissingTarget targets, before name conflicts are resolved.
#[derive(Debug, Default)]
pub struct SearchResult {
    /// Targets to add.
    pub missing: Vec<MissingTarget>,
    /// Files that may need a target but cannot be read or parsed, and the reason.
    pub unreadable: Vec<(RelPath, String)>,
}

/// Finds missing targets. An error is an invalid glob in an option.
pub fn find_missing(input: &SearchInput) -> Result<SearchResult, crate::base::glob::Error> {
    let mut found = SearchResult::default();
    for family in FAMILIES.iter().filter(|family| is_backend_enabled(input.config, family.backends)) {
        found.missing.extend(apply_family(input, family)?);
    }
    for rule in FILE_RULES {
        if is_backend_enabled(input.config, rule.backends) && input.config.flag(rule.option.0, rule.option.1) {
            apply_file_rule(input, rule, &mut found)?;
        }
    }
    Ok(found)
}

fn apply_family(input: &SearchInput, family: &RuleFamily) -> Result<Vec<MissingTarget>, crate::base::glob::Error> {
    let rules: Vec<(&DirRule, Globs)> =
        family.rules.iter().map(|rule| Ok((rule, rule.globs(input.config)?))).collect::<Result<_, _>>()?;
    let mut missing = Vec::new();
    for dir in input.dirs {
        let mut files: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for name in unowned(input, dir) {
            if let Some(index) = rules.iter().position(|(_, globs)| globs.matches(name)) {
                files.entry(index).or_default().push(name.to_owned());
            }
        }
        for (index, files) in files {
            let (rule, _) = rules[index];
            if rule.is_wanted(input.config) && !is_empty_init_only(input, dir, rule, &files) {
                missing.push(target_for_dir(dir, rule, files));
            }
        }
    }
    Ok(missing)
}

fn unowned<'a>(input: &SearchInput<'a>, dir: &RelPath) -> impl Iterator<Item = &'a str> {
    let graph = input.graph;
    graph.files().in_dir(dir).filter(|file| graph.owners(file).is_empty()).filter_map(|file| file.file_name())
}

/// Whether the only source of a directory is an empty `__init__.py`.
fn is_empty_init_only(input: &SearchInput, dir: &RelPath, rule: &DirRule, files: &[String]) -> bool {
    let [file] = files else { return false };
    if rule.kind != "python_sources"
        || !matches!(file.as_str(), "__init__.py" | "__init__.pyi")
        || !PythonSettings::parse(input.config).tailor_ignore_empty_init_files
    {
        return false;
    }
    let content = dir.push(file).ok().and_then(|file| (input.read)(&file));
    content.is_some_and(|content| content.iter().all(u8::is_ascii_whitespace))
}

fn target_for_dir(dir: &RelPath, rule: &DirRule, mut files: Vec<String>) -> MissingTarget {
    files.sort();
    MissingTarget {
        dir: dir.clone(),
        name: rule.name.or(dir.file_name()).unwrap_or_default().to_owned(),
        kind: rule.kind.to_owned(),
        files,
        globs: default_sources(rule.kind).iter().map(|glob| (*glob).to_owned()).collect(),
        fields: Vec::new(),
        comments: Vec::new(),
    }
}

fn apply_file_rule(
    input: &SearchInput,
    rule: &FileRule,
    found: &mut SearchResult,
) -> Result<(), crate::base::glob::Error> {
    let globs = Globs::compile([rule.file])?;
    for dir in input.dirs {
        for name in unowned(input, dir).filter(|name| globs.matches(name)) {
            let Ok(file) = dir.push(name) else { continue };
            match matches_content_rule(input, rule, &file) {
                Ok(true) => found.missing.push(target_for_file(dir, rule, name)),
                Ok(false) => {}
                Err(why) => found.unreadable.push((file, why)),
            }
        }
    }
    Ok(())
}

fn matches_content_rule(input: &SearchInput, rule: &FileRule, file: &RelPath) -> Result<bool, String> {
    if rule.content == ContentRule::Anything {
        return Ok(true);
    }
    let version = GlobalSettings::parse(input.config).pants_version;
    if rule.content == ContentRule::ProjectRequirements && !is_release_at_least(version.as_deref(), (2, 18)) {
        return Ok(false);
    }
    let Some(content) = (input.read)(file) else { return Err("it cannot be read".to_owned()) };
    let Ok(text) = String::from_utf8(content) else { return Err("it is not UTF-8".to_owned()) };
    if matches!(rule.content, ContentRule::RequirementsWith(mark) if !text.contains(mark)) {
        return Ok(false);
    }
    let read = |file: &RelPath| (input.read)(file).and_then(|content| String::from_utf8(content).ok());
    let surroundings = Surroundings { file, is_dir: &|dir| input.graph.files().is_dir(dir), read: &read };
    let Parsed { requirements, refused } = requirements::parse(rule.kind, &surroundings, &text);
    match (rule.content, refused.first()) {
        (ContentRule::ProjectRequirements, refused) => Ok(!requirements.is_empty() && refused.is_none()),
        (_, Some((place, why))) => Err(format!("line {}: {why}", place.line)),
        (_, None) => Ok(true),
    }
}

fn target_for_file(dir: &RelPath, rule: &FileRule, name: &str) -> MissingTarget {
    let is_default = default_sources(rule.kind).contains(&name);
    let source = (!is_default).then(|| ("source", FieldValue::Text(name.to_owned())));
    MissingTarget {
        dir: dir.clone(),
        name: rule.name.to_owned(),
        kind: rule.kind.to_owned(),
        files: vec![name.to_owned()],
        globs: vec![name.to_owned()],
        fields: source.into_iter().collect(),
        comments: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
