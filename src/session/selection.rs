//! The targets that a command line selects: by specs or by what changed, narrowed by filters.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::session::git::{self, Change};
use crate::session::{Error, Session};
use crate::targets::filter::{Filters, Granularity, filter};
use crate::targets::{self, Address, TargetGraph};

/// In the order in which lists are printed.
pub fn selected(session: &mut Session) -> Result<Vec<Address>, Error> {
    let graph = session.load_graph()?;
    let specs = specs(session)?;
    let addresses = match change(session) {
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
    let old = session.config().text("GLOBAL", "owners_not_found_behavior");
    let policy = old.or_else(|| session.config().text("GLOBAL", "unmatched_cli_globs")).unwrap_or("error");
    if policy == "error" {
        return Ok(specs);
    }
    let (root, cwd) = (session.build_root().to_string_lossy(), session.context.cwd()?);
    let mut kept = Vec::new();
    for spec in specs {
        match targets::select(graph, &[&spec], &cwd, &root) {
            Err(error @ targets::select::Error::Unmatched { .. }) if policy == "warn" => {
                session.ui.warn(&error.to_string())
            }
            Err(targets::select::Error::Unmatched { .. }) => {}
            _ => kept.push(spec),
        }
    }
    Ok(kept)
}

/// What is broken where specs look is told before they are: it explains what is not found.
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
    let Some(change) = change(session) else {
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
    Ok(change(session).is_some() || !specs(session)?.is_empty())
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
    for file in session.config().list("GLOBAL", "spec_files") {
        let path = session.build_root().join(file);
        let text = session.context.tracker.read_to_string(&path).map_err(|source| Error::SpecFile { path, source })?;
        specs.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    }
    Ok(specs)
}

fn change(session: &Session) -> Option<Change<'_>> {
    let config = session.config();
    let between = config.text("changed", "diffspec").map(Change::Between);
    between.or_else(|| config.text("changed", "since").map(Change::Since))
}

/// As Pants: who depends on what changed is added, but not the generators of what changed, which depend on it in name
/// only.
fn with_dependents(session: &mut Session, graph: &TargetGraph, changed: Vec<Address>) -> Result<Vec<Address>, Error> {
    let transitive = match session.config().text("changed", "dependents") {
        Some("transitive") => true,
        Some("direct") => false,
        _ => return Ok(changed),
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
    let config = session.config();
    // What is left out by its old name is an inverted entry of the new one.
    let excluded: Vec<String> =
        config.list("GLOBAL", "exclude_target_regexp").into_iter().map(|regex| format!("-{regex}")).collect();
    let filters = Filters {
        tag: config.list("GLOBAL", "tag"),
        target_type: config.list("filter", "target_type"),
        address_regex: [config.list("filter", "address_regex"), excluded.iter().map(String::as_str).collect()].concat(),
        tag_regex: config.list("filter", "tag_regex"),
        granularity: match config.text("filter", "granularity") {
            Some("file") => Granularity::File,
            Some("BUILD") => Granularity::Build,
            _ => Granularity::All,
        },
    };
    Ok(filter(graph, addresses, &narrowed(filters))?)
}
