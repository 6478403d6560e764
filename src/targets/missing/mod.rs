//! Targets that are missing: files that no target owns call for them, and this says which, under which names. Who
//! writes them into BUILD files is `goals`' business, and binaries are `python`'s.

mod conflicts;
mod rules;
mod stanza;

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::Config;
use crate::config::typed::{GlobalSettings, PythonSettings};
use crate::targets::TargetGraph;
use crate::targets::requirements::{self, Parsed};
use crate::targets::settings::is_since;

pub use conflicts::settled;
use rules::{DirRule, FAMILIES, FILE_RULES, Family, FileRule, Fit, default_sources};
pub use rules::{PYTHON, is_in_use};
pub use stanza::{Missing, Written, appended};

/// Where to look, and what is known.
pub struct Input<'a> {
    pub graph: &'a TargetGraph,
    pub config: &'a Config,
    /// These directories and none below.
    pub dirs: &'a BTreeSet<RelPath>,
    /// A file's bytes; none for one that cannot be read.
    pub read: &'a dyn Fn(&RelPath) -> Option<Vec<u8>>,
}

/// What was found, before names are settled.
#[derive(Debug, Default)]
pub struct Found {
    pub missing: Vec<Missing>,
    /// Files that would call for a target if they could be read, and why they cannot.
    pub unreadable: Vec<(RelPath, String)>,
}

pub fn find(input: &Input) -> Result<Found, crate::base::glob::Error> {
    let mut found = Found::default();
    for family in FAMILIES.iter().filter(|family| is_in_use(input.config, family.backends)) {
        found.missing.extend(of_family(input, family)?);
    }
    for rule in FILE_RULES {
        if is_in_use(input.config, rule.backends) && input.config.flag(rule.option.0, rule.option.1) {
            of_files(input, rule, &mut found)?;
        }
    }
    Ok(found)
}

fn of_family(input: &Input, family: &Family) -> Result<Vec<Missing>, crate::base::glob::Error> {
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
            if rule.is_wanted(input.config) && !is_idle(input, dir, rule, &files) {
                missing.push(of_dir(dir, rule, files));
            }
        }
    }
    Ok(missing)
}

fn unowned<'a>(input: &Input<'a>, dir: &RelPath) -> impl Iterator<Item = &'a str> {
    let graph = input.graph;
    graph.files().in_dir(dir).filter(|file| graph.owners(file).is_empty()).filter_map(|file| file.file_name())
}

/// Whether a directory's only source is an `__init__.py` without content.
fn is_idle(input: &Input, dir: &RelPath, rule: &DirRule, files: &[String]) -> bool {
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

fn of_dir(dir: &RelPath, rule: &DirRule, mut files: Vec<String>) -> Missing {
    files.sort();
    Missing {
        dir: dir.clone(),
        name: rule.name.or(dir.file_name()).unwrap_or_default().to_owned(),
        kind: rule.kind.to_owned(),
        files,
        globs: default_sources(rule.kind).iter().map(|glob| (*glob).to_owned()).collect(),
        fields: Vec::new(),
        comments: Vec::new(),
    }
}

fn of_files(input: &Input, rule: &FileRule, found: &mut Found) -> Result<(), crate::base::glob::Error> {
    let globs = Globs::compile([rule.file])?;
    for dir in input.dirs {
        for name in unowned(input, dir).filter(|name| globs.matches(name)) {
            let Ok(file) = dir.push(name) else { continue };
            match is_fit(input, rule, &file) {
                Ok(true) => found.missing.push(of_file(dir, rule, name)),
                Ok(false) => {}
                Err(why) => found.unreadable.push((file, why)),
            }
        }
    }
    Ok(())
}

fn is_fit(input: &Input, rule: &FileRule, file: &RelPath) -> Result<bool, String> {
    if rule.fit == Fit::Anything {
        return Ok(true);
    }
    let version = GlobalSettings::parse(input.config).pants_version;
    if rule.fit == Fit::ProjectRequirements && !is_since(version.as_deref(), (2, 18)) {
        return Ok(false);
    }
    let Some(content) = (input.read)(file) else { return Err("it cannot be read".to_owned()) };
    let Ok(text) = String::from_utf8(content) else { return Err("it is not UTF-8".to_owned()) };
    if matches!(rule.fit, Fit::RequirementsWith(mark) if !text.contains(mark)) {
        return Ok(false);
    }
    let Parsed { requirements, refused } = requirements::parse(rule.kind, file.file_name().unwrap_or_default(), &text);
    match (rule.fit, refused.first()) {
        (Fit::ProjectRequirements, refused) => Ok(!requirements.is_empty() && refused.is_none()),
        (_, Some((place, why))) => Err(format!("line {}: {why}", place.line)),
        (_, None) => Ok(true),
    }
}

fn of_file(dir: &RelPath, rule: &FileRule, name: &str) -> Missing {
    let is_default = default_sources(rule.kind).contains(&name);
    let source = (!is_default).then(|| ("source", Written::Text(name.to_owned())));
    Missing {
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
