//! `affected`: the projects of the repository that a change affects, because a file of theirs changed, or because they depend on such a
//! project or on a changed package. Which targets and tests a change selects is decided in `session::selection`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::LazyLock;

use serde_json::json;

use crate::base::RelPath;
use crate::config::typed::AffectedSettings;
use crate::goals::Error;
use crate::goals::output;
use crate::inference::Dependencies;
use crate::packaging::lockfile::uv_changes;
use crate::packaging::root_changes;
use crate::report;
use crate::session::{Session, Verdict, selection};
use crate::targets::workspace::{Workspace, path_of};
use crate::targets::{Address, Kind, Target, TargetGraph, kind};
use crate::tools;

const GOAL: &str = "affected";

/// The files in the root that decide about all projects, besides those with settings of tools.
const SHARED_FILES: [&str; 10] = [
    ".python-version",
    "conftest.py",
    "pants.toml",
    "poetry.lock",
    "pylock.toml",
    root_changes::FILE_NAME,
    uv_changes::FILE_NAME,
    "waders-requirements.lock",
    "waders.lock",
    "waders.toml",
];

/// Why a project is affected, by its index.
type Reasons = BTreeMap<usize, String>;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let AffectedSettings { since, json } = AffectedSettings::parse(session.config());
    let files = selection::changed_files(session, since.as_deref())?.ok_or(Error::NoCommit)?;
    let graph = session.load_graph()?;
    let read = |file: &RelPath| session.context.tracker.read_to_string(&file.to_path(session.build_root())).ok();
    let workspace = Workspace::find(graph.files(), &read);
    if workspace.members().is_empty() {
        return Err(Error::NoProjects);
    }
    let mut reasons = changed(session, &workspace, &files);
    add_shared(session, &workspace, &files, since.as_deref(), &mut reasons);
    // Targets that could not be loaded may depend on anything.
    session.report_load_errors(|_| true);
    let dependencies = session.infer_all()?;
    for address in selection::former_dependents(session, &graph, &files, false)? {
        if let Some(owner) = graph.get(&address).and_then(|target| owner(&workspace, target)) {
            reasons.entry(owner).or_insert_with(|| "depends on a deleted file".to_owned());
        }
    }
    add_dependents(&workspace, &edges(&workspace, &graph, &dependencies), &mut reasons);
    print(session, &workspace, &reasons, json)?;
    Ok(Verdict::Good)
}

/// The projects with changed files. Files of no project are named in a note.
fn changed(session: &Session, workspace: &Workspace, files: &[RelPath]) -> Reasons {
    let (owned, others): (Vec<_>, Vec<_>) =
        files.iter().map(|file| (file, workspace.owner(file))).partition(|(_, owner)| owner.is_some());
    let others: Vec<&RelPath> = others.into_iter().map(|(file, _)| file).filter(|file| !is_shared(file)).collect();
    if let [first, rest @ ..] = &others[..] {
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        session.ui.note(&format!("changed files that belong to no project are ignored: `{first}`{more}"), None);
    }
    // A file that decides about all projects is no content of the project in the root. `pyproject.toml` is both.
    let is_content = |file: &RelPath| !is_shared(file) || file.as_str() == root_changes::FILE_NAME;
    let owned = owned.into_iter().filter(|(file, _)| is_content(file)).filter_map(|(_, owner)| owner);
    owned.map(|owner| (owner, "changed".to_owned())).collect()
}

fn is_shared(file: &RelPath) -> bool {
    static SETTINGS: LazyLock<BTreeSet<String>> =
        LazyLock::new(|| tools::all().flat_map(|tool| tool.config_files).map(|file| file.name).collect());
    SHARED_FILES.contains(&file.as_str()) || SETTINGS.contains(file.as_str())
}

/// Adds the projects for which files in the root decide: those that depend on a changed package of `uv.lock`, none for a change of
/// `pyproject.toml` that shows in `uv.lock`, and all projects for any other change or file.
fn add_shared(session: &Session, workspace: &Workspace, files: &[RelPath], since: Option<&str>, reasons: &mut Reasons) {
    for file in files.iter().filter(|file| is_shared(file)) {
        let read = |name: &str| session.context.tracker.read_to_string(&session.build_root().join(name)).ok();
        let texts = || Some((selection::text_before(session, since, file)?, read(file.as_str())?));
        let compared = match file.as_str() {
            uv_changes::FILE_NAME => texts().and_then(|(old, new)| uv_changes::changed_projects(&old, &new)),
            root_changes::FILE_NAME if read(uv_changes::FILE_NAME).is_some() => {
                texts().filter(|(old, new)| !root_changes::concern_all(old, new)).map(|_| BTreeMap::new())
            }
            _ => None,
        };
        for (index, member) in workspace.members().iter().enumerate() {
            let why = match &compared {
                Some(changed) => changed.get(&member.normalized_name()).map(|package| format!("{package} ({file})")),
                None => Some(file.to_string()),
            };
            if let Some(why) = why {
                reasons.entry(index).or_insert_with(|| format!("depends on {why}"));
            }
        }
    }
}

/// Which projects each project depends on: by its requirements, and by the imports and declared dependencies of its targets.
fn edges(workspace: &Workspace, graph: &TargetGraph, dependencies: &Dependencies) -> Vec<BTreeSet<usize>> {
    let mut edges = workspace.edges();
    let owners: BTreeMap<&Address, usize> =
        graph.targets().filter_map(|target| Some((&target.address, owner(workspace, target)?))).collect();
    for (address, from) in &owners {
        let to = dependencies.direct(address).into_iter().filter_map(|address| owners.get(address));
        edges[*from].extend(to.filter(|to| *to != from));
    }
    edges
}

/// The project whose content a target is. Requirements are none: a package that is declared in the root is no part of it.
fn owner(workspace: &Workspace, target: &Target) -> Option<usize> {
    let is_requirement = |name: &str| name == kind::PYTHON_REQUIREMENT;
    let found = Kind::find(&target.kind)?;
    if is_requirement(found.name) || is_requirement(found.generates) {
        return None;
    }
    target.sources.first().and_then(|file| workspace.owner(file))
}

/// Adds the projects that depend on affected ones, the nearest first.
fn add_dependents(workspace: &Workspace, edges: &[BTreeSet<usize>], reasons: &mut Reasons) {
    let mut pending: VecDeque<usize> = reasons.keys().copied().collect();
    while let Some(affected) = pending.pop_front() {
        for (dependent, _) in edges.iter().enumerate().filter(|(_, edges)| edges.contains(&affected)) {
            if let Entry::Vacant(reason) = reasons.entry(dependent) {
                reason.insert(format!("depends on {}", workspace.members()[affected].name));
                pending.push_back(dependent);
            }
        }
    }
}

fn print(session: &Session, workspace: &Workspace, reasons: &Reasons, json: bool) -> Result<(), Error> {
    let found = reasons.iter().map(|(index, reason)| (&workspace.members()[*index], reason));
    if json {
        let rows: Vec<_> = found
            .map(|(member, reason)| json!({ "name": member.name, "path": path_of(&member.dir), "reason": reason }))
            .collect();
        return output::text(session, GOAL, &(report::pretty(&rows, 2) + "\n"));
    }
    let mut names: Vec<String> = found.map(|(member, _)| member.name.clone()).collect();
    names.sort();
    output::lines(session, GOAL, &names)
}
