//! `tailor`: adds missing targets to BUILD files. `targets::missing` finds them.

use std::collections::BTreeMap;

use crate::base::glob::Globs;
use crate::base::{Digest, RelPath};
use crate::config::typed::TailorSettings;
use crate::goals::Error;
use crate::inference;
use crate::session::rewrite::rewrite;
use crate::session::{Session, Verdict, selection};
use crate::targets::missing::{self, MissingTarget, SearchResult, append_targets};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    if !selection::has_selection(session)? {
        session.ui.warn_with_hint("no files specified; nothing to do", "`tailor ::` works on the whole repository");
        return Ok(Verdict::Good);
    }
    let settings = TailorSettings::parse(session.config());
    check_name(session, &settings.build_file_name)?;
    let graph = session.load_graph()?;
    session.report_load_errors(|_| true);
    if session.repository.has_errors {
        // The owners of files are not known, and a second target for the same files is worse than none.
        session.ui.error("`tailor` adds no targets while BUILD files have errors", None);
        return Ok(Verdict::Bad(1));
    }
    let missing = find_missing(session)?;
    let missing = missing::resolve_conflicts(missing, &graph, session.config())?;
    session.context.refuse_undefined_options()?;
    if missing.is_empty() {
        return Ok(Verdict::Good);
    }
    for (file, missing) in by_build_file(session, &settings.build_file_name, missing)? {
        let is_new = add(session, &file, &missing, &settings)?;
        let verb = match (settings.check, is_new) {
            (true, true) => "Would create",
            (true, false) => "Would update",
            (false, true) => "Created",
            (false, false) => "Updated",
        };
        let added = missing.iter().map(|missing| format!("  - Add {} target {}\n", missing.kind, missing.name));
        session.ui.print(&format!("{verb} {file}:\n{}", added.collect::<String>()))?;
    }
    if settings.check {
        session.ui.print("\nTo fix `tailor` failures, run `waders tailor`.\n")?;
        return Ok(Verdict::Bad(1));
    }
    session.forget_repository();
    Ok(Verdict::Good)
}

/// Refuses a name that does not match `[GLOBAL] build_patterns`: every run would write the file again.
fn check_name(session: &Session, name: &str) -> Result<(), Error> {
    let patterns = session.context.global().build_patterns;
    let readable = RelPath::parse(name).is_ok_and(|name| name.components().count() == 1)
        && Globs::compile(patterns.iter().map(String::as_str))?.matches(name);
    match readable {
        true => Ok(()),
        false => Err(Error::BuildFileName { name: name.to_owned(), patterns: patterns.join("`, `") }),
    }
}

/// The missing targets of the directories of selected files.
fn find_missing(session: &mut Session) -> Result<Vec<MissingTarget>, Error> {
    let dirs = selection::selected_dirs(session)?;
    let (graph, roots) = (session.load_graph()?, session.find_source_roots()?);
    let root = session.build_root().to_owned();
    let tracker = session.context.tracker.clone();
    let read = |file: &RelPath| tracker.read(&file.to_path(&root)).ok();
    let input = missing::SearchInput { graph: &graph, config: session.config(), dirs: &dirs, read: &read };
    let SearchResult { mut missing, unreadable } = missing::find_missing(&input)?;
    missing.extend(inference::missing_binaries::find(&input, &roots));
    for (file, why) in unreadable {
        let hint = "write its target by hand, or name its BUILD file in `[tailor] ignore_paths`";
        session.ui.warn_with_hint(&format!("no target is added for `{file}`: {why}"), hint);
    }
    Ok(missing)
}

/// Groups targets by BUILD file, in the order in which they are reported.
fn by_build_file(
    session: &Session,
    name: &str,
    missing: Vec<MissingTarget>,
) -> Result<Vec<(RelPath, Vec<MissingTarget>)>, Error> {
    let mut grouped: BTreeMap<RelPath, Vec<MissingTarget>> = BTreeMap::new();
    let mut order = Vec::new();
    for missing in missing {
        let mut file = missing.dir.push(name)?;
        let metadata = session.context.tracker.metadata(&file.to_path(session.build_root()));
        if metadata.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
            // A directory has the name; Pants avoids it in the same way.
            file = missing.dir.push(&format!("{name}.pants"))?;
        }
        let group = grouped.entry(file.clone()).or_default();
        if group.is_empty() {
            order.push(file);
        }
        group.push(missing);
    }
    Ok(order.into_iter().map(|file| (file.clone(), grouped.remove(&file).unwrap_or_default())).collect())
}

/// Adds targets to a BUILD file, unless `check` is set. Returns whether the file is new.
fn add(session: &Session, file: &RelPath, missing: &[MissingTarget], settings: &TailorSettings) -> Result<bool, Error> {
    let path = file.to_path(session.build_root());
    let now = match session.context.tracker.read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::ReadFile { file: file.clone(), source }),
    };
    let begins = now.as_deref().or(settings.build_file_header.as_deref()).unwrap_or_default();
    let next = append_targets(begins, &settings.build_file_indent, missing);
    if !settings.check {
        rewrite(session.build_root(), file, now.as_ref().map(|text| Digest::of(text.as_bytes())), next.as_bytes())?;
    }
    Ok(now.is_none())
}
