//! Specs: directories, files with targets, and addresses, as the user began to write them.

use std::collections::BTreeSet;

use super::Candidate;
use crate::base::RelPath;
use crate::session::{Context, load_quietly};
use crate::targets::{Address, TargetGraph};

/// The specs that continue a word, which may begin with `-` for an exclusion.
pub(super) fn candidates(context: &Context, current: &str) -> Vec<Candidate> {
    let (sign, typed) = current.strip_prefix('-').map_or(("", current), |rest| ("-", rest));
    let Ok(cwd) = context.cwd() else { return Vec::new() };
    let graph = load_quietly(context);
    let mut found = match typed.split_once(':') {
        Some((path, rest)) => resolve(&cwd, path).map_or(Vec::new(), |dir| addresses(&graph, &dir, path, rest)),
        None => paths(&graph, &cwd, typed),
    };
    for candidate in &mut found {
        candidate.value.insert_str(0, sign);
    }
    std::mem::forget(graph);
    found
}

/// The directories and files that continue `typed`.
fn paths(graph: &TargetGraph, cwd: &RelPath, typed: &str) -> Vec<Candidate> {
    let (parent, begun) = typed.split_at(typed.rfind('/').map_or(0, |at| at + 1));
    let Some(dir) = resolve(cwd, parent) else { return Vec::new() };
    let mut dirs = BTreeSet::new();
    let mut found = Vec::new();
    for file in graph.files().below(&dir) {
        let Some(below) = file.strip_prefix(&dir).filter(|below| below.as_str().starts_with(begun)) else { continue };
        match below.as_str().split_once('/') {
            Some((child, _)) => drop(dirs.insert(child.to_owned())),
            None if graph.owners(file).is_empty() => {}
            None => found.push(Candidate::new(format!("{parent}{below}"), "")),
        }
    }
    for child in dirs {
        found.push(Candidate::new(format!("{parent}{child}/"), ""));
        found.push(Candidate::new(format!("{parent}{child}::"), "All targets in this directory and below."));
    }
    if typed.is_empty() || typed == "//" {
        found.push(Candidate::new(format!("{typed}::"), "All targets in this directory and below."));
    }
    found
}

/// The targets of a directory or file, after a colon. `path` is as typed, `rest` are the characters after the colon.
fn addresses(graph: &TargetGraph, dir: &RelPath, path: &str, rest: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    if graph.files().is_dir(dir) {
        found.push(Candidate::new(format!("{path}::"), "All targets in this directory and below."));
    }
    let declared = graph.in_build_dir(dir).filter(|target| target.address.file.is_none());
    let declared = declared.map(|target| (name(&target.address), &target.kind));
    // There can be hundreds of requirements.
    let declared = declared.filter(|(name, _)| rest.contains('#') || !name.contains('#'));
    found.extend(declared.map(|(name, kind)| Candidate::new(format!("{path}:{name}"), kind)));
    for owner in graph.owners(dir).iter().filter_map(|owner| graph.get(owner)) {
        let text = owner.address.to_string();
        let named = text.trim_start_matches('/').strip_prefix(dir.as_str()).filter(|name| name.starts_with(':'));
        found.extend(named.map(|name| Candidate::new(format!("{path}{name}"), &owner.kind)));
    }
    found
}

/// The part of an address after its directory and colon.
fn name(address: &Address) -> String {
    let generated = address.generated.iter().map(|name| format!("#{name}"));
    let parameters = address.parameters.iter().enumerate();
    let parameters =
        parameters.map(|(index, (key, value))| format!("{}{key}={value}", if index == 0 { "@" } else { "," }));
    [address.name.clone()].into_iter().chain(generated).chain(parameters).collect()
}

/// The path from the build root. `None` if it leaves the repository.
fn resolve(cwd: &RelPath, typed: &str) -> Option<RelPath> {
    match typed.strip_prefix("//") {
        Some(path) => RelPath::root().resolve(path).ok(),
        None if typed.starts_with('/') => None,
        None => cwd.resolve(typed).ok(),
    }
}
