//! The targets that a command line selects: by specs or by what changed, narrowed by filters.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::typed::{ChangedSettings, DependentsOfChanged, FilterSettings, GranularityChoice, UnmatchedGlobs};
use crate::inference::{Dependencies, Extent};
use crate::session::git::{self, Change};
use crate::session::{Error, Session};
use crate::targets::filter::{Filters, Granularity};
use crate::targets::{self, Address, NodeId, TargetGraph, node_id};

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
            with_dependents(session, &graph, &files)?
        }
        None => {
            report_broken_directories(session, &graph, &specs)?;
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
fn report_broken_directories(session: &mut Session, graph: &TargetGraph, specs: &[String]) -> Result<(), Error> {
    let root = session.build_root().to_string_lossy().into_owned();
    let cwd = session.context.cwd()?;
    session.report_load_errors(|broken| targets::select::is_affected_by(graph, specs, &cwd, &root, broken));
    Ok(())
}

/// The selected files, sorted: what goals that work on files take. Files that changed count, and the sources of
/// targets that changed.
pub fn selected_files(session: &mut Session) -> Result<Vec<RelPath>, Error> {
    let graph = session.load_graph()?;
    let settings = ChangedSettings::parse(session.config());
    let Some(change) = change(&settings) else {
        let specs = specs(session)?;
        report_broken_directories(session, &graph, &specs)?;
        let root = session.build_root().to_string_lossy();
        return Ok(targets::select::select_files(&graph, &specs, &session.context.cwd()?, &root)?);
    };
    Ok(files_of_change(session, &graph, change)?.1)
}

/// The files that changed, which may not exist any more, and the files that they select.
fn files_of_change(
    session: &mut Session,
    graph: &TargetGraph,
    change: Change<'_>,
) -> Result<(Vec<RelPath>, Vec<RelPath>), Error> {
    let specs = specs(session)?;
    if !specs.is_empty() {
        return Err(Error::SpecsAndChanged(specs));
    }
    let changed = git::changed_files(&session.context.tracker, session.build_root(), change)?;
    let targets = with_dependents(session, graph, &changed)?;
    // A generator whose targets changed or depend on changes does not stand for all its files.
    let targets = targets.iter().filter(|address| graph.generated_by(address).is_empty());
    let sources = targets.filter_map(|address| graph.get(address)).flat_map(|target| &target.sources);
    let there = changed.iter().filter(|file| graph.files().contains(file));
    let files: BTreeSet<&RelPath> = there.chain(sources).collect();
    let files = files.into_iter().cloned().collect();
    Ok((changed, files))
}

/// The files that changed since a commit, or else as `[changed]` says, sorted; deleted ones included. `None` if neither names changes.
pub fn changed_files(session: &mut Session, since: Option<&str>) -> Result<Option<Vec<RelPath>>, Error> {
    let specs = specs(session)?;
    if !specs.is_empty() {
        return Err(Error::SpecsAndChanged(specs));
    }
    let changed = ChangedSettings::parse(session.config());
    let Some(change) = since.map(Change::Since).or_else(|| change(&changed)) else { return Ok(None) };
    Ok(Some(git::changed_files(&session.context.tracker, session.build_root(), change)?))
}

/// The text of a file in the commit from which the changes since a commit are counted; `None` if the file or the commit does not exist.
pub fn text_before(session: &Session, since: Option<&str>, file: &RelPath) -> Option<String> {
    let since = since.map(str::to_owned).or_else(|| ChangedSettings::parse(session.config()).since)?;
    git::text_before(session.build_root(), &since, file)
}

/// Whether the command line selects anything: by specs or by changes.
pub fn has_selection(session: &Session) -> Result<bool, Error> {
    Ok(change(&ChangedSettings::parse(session.config())).is_some() || !specs(session)?.is_empty())
}

/// The directories that the command line selects. A BUILD file that does not exist selects its directory, so that `tailor`
/// can create the file.
pub fn selected_dirs(session: &mut Session) -> Result<BTreeSet<RelPath>, Error> {
    let graph = session.load_graph()?;
    let settings = ChangedSettings::parse(session.config());
    if let Some(change) = change(&settings) {
        let (changed, selected) = files_of_change(session, &graph, change)?;
        let dirs = changed.iter().filter_map(RelPath::parent).filter(|dir| graph.files().is_dir(dir));
        return Ok(dirs.chain(selected.iter().filter_map(RelPath::parent)).collect());
    }
    let (specs, cwd) = (specs(session)?, session.context.cwd()?);
    let root = session.build_root().to_string_lossy().into_owned();
    report_broken_directories(session, &graph, &specs)?;
    let patterns = session.context.global().build_patterns;
    let patterns = Globs::compile(patterns.iter().map(String::as_str)).unwrap_or_default();
    let is_build_file = |name: &str| patterns.matches(name);
    let (missing, specs): (Vec<_>, Vec<_>) = specs
        .into_iter()
        .map(|spec| (targets::select::dir_of_missing_build_file(&graph, &spec, &cwd, &root, &is_build_file), spec))
        .partition(|(dir, _)| dir.is_some());
    let specs: Vec<String> = specs.into_iter().map(|(_, spec)| spec).collect();
    let files = targets::select::select_files(&graph, &specs, &cwd, &root)?;
    let missing = missing.into_iter().filter_map(|(dir, _)| dir);
    Ok(files.iter().filter_map(RelPath::parent).chain(missing).collect())
}

/// Warns that `goal` has nothing to work on where the command line or the repository explains it: no arguments were given, or
/// no target exists.
pub fn warn_if_nothing_exists(session: &mut Session, goal: &str) -> Result<(), Error> {
    if !session.repository.has_errors && has_selection(session)? && session.load_graph()?.targets().next().is_none() {
        let hint = format!(
            "run `{} tailor ::` to add targets for the files of the repository",
            session.context.global().bin_name
        );
        session.ui.warn_with_hint(&format!("`{goal}` has nothing to do: no BUILD file declares a target"), &hint);
    }
    Ok(())
}

/// Warns that `goal` works on what its arguments select, if there are none.
pub fn warn_without_specs(session: &Session, goal: &str) -> Result<(), Error> {
    if !has_selection(session)? {
        let hint =
            format!("add `::` for the whole repository, as in `{goal} ::`, or name files, directories or targets");
        session.ui.warn_with_hint(&format!("`{goal}` has nothing to do without arguments"), &hint);
    }
    Ok(())
}

/// The selected targets, and what the generators among them stand for, sorted.
pub fn with_generated(session: &mut Session) -> Result<Vec<Address>, Error> {
    let graph = session.load_graph()?;
    let mut all = selected(session)?;
    let generated = generated_for(session, &graph, &all);
    all.extend(filter_generated(session, &graph, generated)?);
    all.sort();
    all.dedup();
    Ok(all)
}

/// Those of the command line, and a line each of the files that `--spec-files` names. Specs of single tests are those of their files.
pub fn specs(session: &Session) -> Result<Vec<String>, Error> {
    Ok(written_specs(session)?.iter().map(|spec| node_id::without_names(spec).to_owned()).collect())
}

/// The single tests that specs name, by file and in their order: what follows the file, such as `TestA::test_b`. A name narrows its
/// file also where another spec selects the file.
pub fn named_tests(session: &mut Session) -> Result<BTreeMap<RelPath, Vec<String>>, Error> {
    let written = written_specs(session)?;
    let mut named: BTreeMap<RelPath, Vec<String>> = BTreeMap::new();
    let nodes: Vec<NodeId<'_>> =
        written.iter().filter_map(|spec| NodeId::parse(spec)).filter(NodeId::is_selection).collect();
    if nodes.is_empty() {
        return Ok(named);
    }
    let (graph, cwd) = (session.load_graph()?, session.context.cwd()?);
    let root = session.build_root().to_string_lossy();
    for NodeId { file, names } in nodes {
        let Some(file) = targets::select::named_file(&graph, file, &cwd, &root) else { continue };
        let tests = named.entry(file).or_default();
        if !tests.iter().any(|test| test == names) {
            tests.push(names.to_owned());
        }
    }
    Ok(named)
}

fn written_specs(session: &Session) -> Result<Vec<String>, Error> {
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

/// The targets that these generators stand for. In a selection by changes they stand for none: the generated targets that
/// changed are selected themselves, and their siblings did not change.
pub fn generated_for(session: &Session, graph: &TargetGraph, generators: &[Address]) -> Vec<Address> {
    if change(&ChangedSettings::parse(session.config())).is_some() {
        return Vec::new();
    }
    generators.iter().flat_map(|address| graph.generated_by(address)).cloned().collect()
}

/// The targets that changes to files affect. As in Pants, who depends on them is added, but not the generators of what
/// changed, which depend on it in name only. Who imported a deleted file depends on the change too.
fn with_dependents(session: &mut Session, graph: &TargetGraph, files: &[RelPath]) -> Result<Vec<Address>, Error> {
    let changed = targets::changed(graph, files);
    let transitive = match ChangedSettings::parse(session.config()).dependents {
        DependentsOfChanged::Transitive => true,
        DependentsOfChanged::Direct => false,
        DependentsOfChanged::None => return Ok(changed),
    };
    // What is not declared may depend on anything.
    session.report_load_errors(|_| true);
    let dependencies = session.infer_all()?;
    let former = former_dependents(session, graph, files, transitive)?;
    let mut dependents = dependents_of(&dependencies, &changed, transitive);
    dependents.extend(&former);
    let generators: BTreeSet<&Address> =
        changed.iter().filter_map(|address| graph.get(address)?.generator.as_ref()).collect();
    let dependents = dependents.into_iter().filter(|address| !generators.contains(address));
    let all: BTreeSet<&Address> = changed.iter().chain(dependents).collect();
    let mut all: Vec<Address> = all.into_iter().cloned().collect();
    all.sort_by(Address::list_order);
    Ok(all)
}

/// The targets that depended on files that are deleted.
pub fn former_dependents(
    session: &mut Session,
    graph: &TargetGraph,
    files: &[RelPath],
    transitive: bool,
) -> Result<BTreeSet<Address>, Error> {
    let deleted: Vec<RelPath> = files.iter().filter(|file| !graph.files().contains(file)).cloned().collect();
    let Some((former_graph, former)) = targets::with_deleted(graph, &deleted) else { return Ok(BTreeSet::new()) };
    let before = session.infer_in(&former_graph, Extent::Everything)?;
    let known = |address: &&Address| graph.get(address).is_some();
    Ok(dependents_of(&before, &former, transitive).into_iter().filter(known).cloned().collect())
}

fn dependents_of<'d>(
    dependencies: &'d Dependencies,
    changed: impl IntoIterator<Item = &'d Address>,
    transitive: bool,
) -> BTreeSet<&'d Address> {
    match transitive {
        true => dependencies.transitive_dependents(changed),
        false => dependencies.dependents_of_all(changed),
    }
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
