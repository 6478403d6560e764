//! `update-build-files`: replaces deprecated names in BUILD files and formats the files. `build_file::renamed` knows the
//! names.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::glob::Globs;
use crate::base::{Digest, RelPath};
use crate::build_file::renamed::{apply_renames, defined_names};
use crate::build_file::{Diagnostic, Source};
use crate::config::typed::UpdateBuildFilesSettings;
use crate::goals::Error;
use crate::goals::call_results::CallResults;
use crate::prepare::calls::{self, Contents, EnabledCall, PartitionedCall, Partitions};
use crate::report::tool_result::Mode;
use crate::session::rewrite::rewrite;
use crate::session::{Session, Verdict, selection};
use crate::store::Node;
use crate::{targets, tools};

/// A BUILD file and its new content.
struct Update {
    was: Vec<u8>,
    now: Vec<u8>,
    /// Descriptions of the changes.
    changes: Vec<&'static str>,
}

type Updates = BTreeMap<RelPath, Update>;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    if !selection::has_selection(session)? {
        let hint = "`update-build-files ::` works on the whole repository";
        session.ui.warn_with_hint("no files specified; nothing to do", hint);
        return Ok(Verdict::Good);
    }
    let settings = UpdateBuildFilesSettings::parse(session.config());
    session.context.refuse_undefined_options()?;
    let mut updates = read(session)?;
    if settings.fix_safe_deprecations {
        rename(session, &mut updates)?;
    }
    if settings.fmt
        && let Some(prevented) = format(session, &settings.formatter, &mut updates)?
    {
        return Ok(prevented);
    }
    updates.retain(|_, update| !update.changes.is_empty());
    if updates.is_empty() {
        return Ok(Verdict::Good);
    }
    for (file, update) in &updates {
        if !settings.check {
            rewrite(session.build_root(), file, Some(Digest::of(&update.was)), &update.now)?;
        }
        let verb = if settings.check { "Would update" } else { "Updated" };
        let changes: String = update.changes.iter().map(|change| format!("  - {change}\n")).collect();
        session.ui.print(&format!("{verb} {file}:\n{changes}"))?;
    }
    if settings.check {
        session.ui.print("\nTo fix `update-build-files` failures, run `waders update-build-files`.\n")?;
        return Ok(Verdict::Bad(1));
    }
    session.forget_repository();
    Ok(Verdict::Good)
}

/// Reads the selected BUILD files.
fn read(session: &mut Session) -> Result<Updates, Error> {
    let (files, graph) = (session.select_files()?, session.load_graph()?);
    let mut updates = Updates::new();
    for file in files.into_iter().filter(|file| graph.is_build_file(file)) {
        let path = file.to_path(session.build_root());
        let was =
            session.context.tracker.read(&path).map_err(|source| Error::ReadFile { file: file.clone(), source })?;
        updates.insert(file, Update { now: was.clone(), was, changes: Vec::new() });
    }
    Ok(updates)
}

/// Replaces deprecated names. Files with syntax errors are skipped: loading reported them.
fn rename(session: &mut Session, updates: &mut Updates) -> Result<(), Error> {
    let macros = macros(session)?;
    let version = session.context.global().pants_version;
    let is_since = |release| targets::is_release_at_least(version.as_deref(), release);
    for (file, update) in updates {
        let Ok(source) = parsed(file, &update.now) else { continue };
        let renamed = apply_renames(&source, &macros, &is_since);
        update.changes.extend(renamed.target_types.then_some("Renamed deprecated targets"));
        update.changes.extend(renamed.fields.then_some("Renamed deprecated fields"));
        update.now = renamed.text.into_bytes();
    }
    Ok(())
}

/// Formats the files. A verdict if that failed, which is reported.
fn format(session: &mut Session, formatter: &str, updates: &mut Updates) -> Result<Option<Verdict>, Error> {
    let (enabled, description) = find_formatter(formatter)?;
    let store = session.services.open_store()?;
    let mut contents = Contents::new();
    for (file, update) in updates.iter().filter(|(file, update)| parsed(file, &update.now).is_ok()) {
        contents.insert(file.clone(), Node::File { digest: store.put(&update.now)?, executable: false });
    }
    let partitions = Partitions::from_files(contents.keys());
    if partitions.by_key.is_empty() {
        return Ok(None);
    }
    let (calls, outcomes) = calls::run(session, "fmt", &[PartitionedCall { enabled, partitions }], &contents)?;
    if session.services.was_interrupted() {
        return Ok(Some(Verdict::Interrupted));
    }
    let mut results = CallResults::default();
    results.add(session, &calls, &outcomes, &contents)?;
    match results.verdict(Mode::Rewrite) {
        Verdict::Good => {}
        prevented => {
            results.print(session, Mode::Rewrite);
            return Ok(Some(prevented));
        }
    }
    for (file, node) in &results.rewritten {
        if let (Some(update), Some(content)) = (updates.get_mut(file), node.content()) {
            update.now = store.get(content)?;
            update.changes.push(description);
        }
    }
    Ok(None)
}

/// The call that formats BUILD files, and the description of its change.
fn find_formatter(name: &str) -> Result<(EnabledCall, &'static str), Error> {
    let tool = tools::named(name);
    let call = tool.as_ref().and_then(|tool| tool.calls.iter().find(|call| call.build_files)).cloned();
    let description = match name {
        "ruff" => "Format with Ruff",
        "yapf" => "Format with Yapf",
        _ => "Format with Black",
    };
    match tool.zip(call) {
        Some((tool, call)) => Ok((EnabledCall { tool, call, target: None }, description)),
        None => Err(Error::NoBuildFormatter(name.to_owned())),
    }
}

/// The names that the repository's preludes define.
fn macros(session: &mut Session) -> Result<BTreeSet<String>, Error> {
    let graph = session.load_graph()?;
    let globs = Globs::compile(session.context.global().prelude_globs.iter().map(String::as_str))?;
    let mut names = BTreeSet::new();
    for file in graph.files().matching(&RelPath::root(), &globs) {
        let text = session.context.tracker.read(&file.to_path(session.build_root())).unwrap_or_default();
        names.extend(parsed(&file, &text).map(|prelude| defined_names(&prelude)).unwrap_or_default());
    }
    Ok(names)
}

fn parsed(file: &RelPath, text: &[u8]) -> Result<Source, Box<Diagnostic>> {
    Source::parse(file, String::from_utf8_lossy(text).into_owned())
}
