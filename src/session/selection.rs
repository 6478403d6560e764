//! The targets that a command line selects: by specs or by what changed, narrowed by filters.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::config::typed::{ChangedSettings, DependentsOfChanged, FilterSettings, GranularityChoice, UnmatchedGlobs};
use crate::session::git::{self, Change};
use crate::session::{Error, Session};
use crate::targets::filter::{Filters, Granularity};
use crate::targets::{self, Address, TargetGraph};

/// In the order in which lists are printed.
pub fn selected(session: &mut Session) -> Result<Vec<Address>, Error> {
    let graph = session.load_graph()?;
    let specs = specs(session)?;
    let changed = ChangedSettings::parse(session.config());
    let addresses = match change(&changed) {
        Some(_) if !specs.is_empty() => return Err(Error::SpecsAndChanged(specs)),
        Some(change) => {
            let files = git::changed_files(&session.context.tracker, session.build_root(), change)?;
            let dirs: BTreeSet<RelPath> = files.iter().filter_map(RelPath::parent).collect();
            session.report_load_errors(|broken| dirs.iter().any(|dir| broken.affects(dir)));
            with_dependents(session, &graph, targets::changed(&graph, &files))?
        }
        None => {
            tell_broken(session, &graph, &specs)?;
            let specs = matching(session, &graph, specs)?;
            let root = session.build_root().to_string_lossy();
            targets::select(&graph, &specs, &session.context.cwd()?, &root)?
        }
    };
    session.report_load_errors(|broken| addresses.iter().any(|address| broken.affects(&address.dir)));
    filtered(session, &graph, addresses, &|filters| filters)
}

/// Without those that match nothing, where `[GLOBAL] unmatched_cli_globs` does not make errors of them.
fn matching(session: &Session, graph: &TargetGraph, specs: Vec<String>) -> Result<Vec<String>, Error> {
    let policy = session.context.global().unmatched_specs;
    if policy == UnmatchedGlobs::Error {
        return Ok(specs);
    }
    let (root, cwd) = (session.build_root().to_string_lossy(), session.context.cwd()?);
    let mut kept = Vec::new();
    for spec in specs {
        match targets::select(graph, &[&spec], &cwd, &root) {
            Err(error @ targets::select::Error::Unmatched { .. }) if policy == UnmatchedGlobs::Warn => {
                session.ui.warn(&error.to_string())
            }
            Err(targets::select::Error::Unmatched { .. }) => {}
            _ => kept.push(spec),
        }
    }
    Ok(kept)
}

/// Reports load errors in the directories of the specs first, since they explain why a spec matches nothing.
fn tell_broken(session: &mut Session, graph: &TargetGraph, specs: &[String]) -> Result<(), Error> {
    let root = session.build_root().to_string_lossy().into_owned();
    let cwd = session.context.cwd()?;
    session.report_load_errors(|broken| targets::select::is_affected_by(graph, specs, &cwd, &root, broken));
    Ok(())
}

/// The selected files, sorted: what goals that work on files take. Files that changed count, and the sources of
/// targets that changed.
pub fn selected_files(session: &mut Session) -> Result<Vec<RelPath>, Error> {
    let graph = session.load_graph()?;
    let specs = specs(session)?;
    let settings = ChangedSettings::parse(session.config());
    let Some(change) = change(&settings) else {
        tell_broken(session, &graph, &specs)?;
        let root = session.build_root().to_string_lossy();
        return Ok(targets::select::select_files(&graph, &specs, &session.context.cwd()?, &root)?);
    };
    if !specs.is_empty() {
        return Err(Error::SpecsAndChanged(specs));
    }
    let changed = git::changed_files(&session.context.tracker, session.build_root(), change)?;
    let targets = with_dependents(session, &graph, targets::changed(&graph, &changed))?;
    let sources = targets.iter().filter_map(|address| graph.get(address)).flat_map(|target| &target.sources);
    let there = changed.iter().filter(|file| graph.files().contains(file));
    let files: BTreeSet<&RelPath> = there.chain(sources).collect();
    Ok(files.into_iter().cloned().collect())
}

/// Whether the command line says at all what to work on.
pub fn says_what(session: &Session) -> Result<bool, Error> {
    Ok(change(&ChangedSettings::parse(session.config())).is_some() || !specs(session)?.is_empty())
}

/// The selected targets, and what the generators among them stand for, sorted.
pub fn with_generated(session: &mut Session) -> Result<Vec<Address>, Error> {
    let graph = session.load_graph()?;
    let mut all = selected(session)?;
    let generated = all.iter().flat_map(|address| graph.generated_by(address)).cloned().collect();
    all.extend(filter_generated(session, &graph, generated)?);
    all.sort();
    all.dedup();
    Ok(all)
}

/// Those of the command line, and a line each of the files that `--spec-files` names.
pub fn specs(session: &Session) -> Result<Vec<String>, Error> {
    let mut specs = session.context.specs.clone();
    for file in session.context.global().spec_files {
        let path = session.build_root().join(file);
        let text = session.context.tracker.read_to_string(&path).map_err(|source| Error::SpecFile { path, source })?;
        specs.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    Ok(specs)
}

fn change(changed: &ChangedSettings) -> Option<Change<'_>> {
    let between = changed.diffspec.as_deref().map(Change::Between);
    between.or_else(|| changed.since.as_deref().map(Change::Since))
}

/// As Pants: who depends on what changed is added, but not the generators of what changed, which depend on it in name
/// only.
fn with_dependents(session: &mut Session, graph: &TargetGraph, changed: Vec<Address>) -> Result<Vec<Address>, Error> {
    let transitive = match ChangedSettings::parse(session.config()).dependents {
        DependentsOfChanged::Transitive => true,
        DependentsOfChanged::Direct => false,
        DependentsOfChanged::None => return Ok(changed),
    };
    // What is not declared may depend on anything.
    session.report_load_errors(|_| true);
    let dependencies = session.infer_all()?;
    let dependents = match transitive {
        true => dependencies.transitive_dependents(&changed),
        false => dependencies.dependents_of_all(&changed),
    };
    let generators: BTreeSet<&Address> =
        changed.iter().filter_map(|address| graph.get(address)?.generator.as_ref()).collect();
    let dependents = dependents.into_iter().filter(|address| !generators.contains(address));
    let all: BTreeSet<&Address> = changed.iter().chain(dependents).collect();
    let mut all: Vec<Address> = all.into_iter().cloned().collect();
    all.sort_by(Address::list_order);
    Ok(all)
}

/// What filters leave of targets that selected generators stand for. The type and the place of writing are those of the
/// generators, which were asked for them.
pub fn filter_generated(
    session: &Session,
    graph: &TargetGraph,
    addresses: Vec<Address>,
) -> Result<Vec<Address>, Error> {
    filtered(session, graph, addresses, &|filters| Filters {
        target_type: Vec::new(),
        granularity: Granularity::All,
        ..filters
    })
}

fn filtered(
    session: &Session,
    graph: &TargetGraph,
    addresses: Vec<Address>,
    narrowed: &dyn for<'f> Fn(Filters<'f>) -> Filters<'f>,
) -> Result<Vec<Address>, Error> {
    let (global, mut filter) = (session.context.global(), FilterSettings::parse(session.config()));
    // `exclude_target_regexp` is an older name for negated entries of `address_regex`.
    filter.address_regex.extend(global.exclude_target_regexp.iter().map(|regex| format!("-{regex}")));
    let filters = Filters {
        tag: texts(&global.tag),
        target_type: texts(&filter.target_type),
        address_regex: texts(&filter.address_regex),
        tag_regex: texts(&filter.tag_regex),
        granularity: match filter.granularity {
            GranularityChoice::File => Granularity::File,
            GranularityChoice::Build => Granularity::Build,
            GranularityChoice::All => Granularity::All,
        },
    };
    Ok(targets::filter::filter(graph, addresses, &narrowed(filters))?)
}

fn texts(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}
