//! `tailor`: writes the targets that files call for into BUILD files. Which ones, `targets::missing` knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::base::glob::Globs;
use crate::base::{Digest, RelPath};
use crate::inference;
use crate::session::rewrite::rewrite;
use crate::session::{Error, Session, Verdict, selection};
use crate::targets::missing::{self, MissingTarget, SearchResult, append_targets};

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    if !selection::says_what(session)? {
        session.ui.warn_with_hint("no files specified; nothing to do", "`tailor ::` works on the whole repository");
        return Ok(Verdict::Good);
    }
    readable_name(session)?;
    let graph = session.load_graph()?;
    session.report_load_errors(|_| true);
    if session.repository.has_errors {
        // Who owns what is not known, and a second target for the same files is worse than none.
        session.ui.error("`tailor` adds nothing while BUILD files have mistakes", None);
        return Ok(Verdict::Bad(1));
    }
    let missing = missing(session)?;
    let missing = missing::resolve_conflicts(missing, &graph, session.config())?;
    if missing.is_empty() {
        return Ok(Verdict::Good);
    }
    let checks = session.config().flag("tailor", "check");
    for (file, missing) in by_build_file(session, missing)? {
        let is_new = add(session, &file, &missing, checks)?;
        let verb = match (checks, is_new) {
            (true, true) => "Would create",
            (true, false) => "Would update",
            (false, true) => "Created",
            (false, false) => "Updated",
        };
        let added = missing.iter().map(|missing| format!("  - Add {} target {}\n", missing.kind, missing.name));
        session.ui.print(&format!("{verb} {file}:\n{}", added.collect::<String>()))?;
    }
    if checks {
        session.ui.print("\nTo fix `tailor` failures, run `waders tailor`.\n")?;
        return Ok(Verdict::Bad(1));
    }
    session.forget_repository();
    Ok(Verdict::Good)
}

/// A name that `[GLOBAL] build_patterns` does not match would be written again by every run.
fn readable_name(session: &Session) -> Result<(), Error> {
    let name = session.config().text("tailor", "build_file_name").unwrap_or("BUILD");
    let patterns = session.config().list("GLOBAL", "build_patterns");
    let readable = RelPath::parse(name).is_ok_and(|name| name.components().count() == 1)
        && Globs::compile(patterns.iter().copied())?.matches(name);
    match readable {
        true => Ok(()),
        false => Err(Error::BuildFileName { name: name.to_owned(), patterns: patterns.join("`, `") }),
    }
}

/// Around the selected files.
fn missing(session: &mut Session) -> Result<Vec<MissingTarget>, Error> {
    let dirs: BTreeSet<RelPath> = session.select_files()?.iter().filter_map(RelPath::parent).collect();
    let (graph, roots) = (session.load_graph()?, session.find_source_roots()?);
    let root = session.build_root().to_owned();
    let read = |file: &RelPath| fs::read(file.to_path(&root)).ok();
    let input = missing::SearchInput { graph: &graph, config: session.config(), dirs: &dirs, read: &read };
    let SearchResult { mut missing, unreadable } = missing::find_missing(&input)?;
    missing.extend(inference::missing_binaries::find(&input, &roots));
    for (file, why) in unreadable {
        let hint = "write its target by hand, or name its BUILD file in `[tailor] ignore_paths`";
        session.ui.warn_with_hint(&format!("no target is added for `{file}`: {why}"), hint);
    }
    Ok(missing)
}

/// In the order in which they are told.
fn by_build_file(session: &Session, missing: Vec<MissingTarget>) -> Result<Vec<(RelPath, Vec<MissingTarget>)>, Error> {
    let name = session.config().text("tailor", "build_file_name").unwrap_or("BUILD");
    let mut grouped: BTreeMap<RelPath, Vec<MissingTarget>> = BTreeMap::new();
    let mut order = Vec::new();
    for missing in missing {
        let mut file = missing.dir.push(name)?;
        if file.to_path(session.build_root()).is_dir() {
            // A directory for builds has the name; Pants avoids it like this.
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

/// Whether the file is a new one.
fn add(session: &Session, file: &RelPath, missing: &[MissingTarget], checks: bool) -> Result<bool, Error> {
    let path = file.to_path(session.build_root());
    let now = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(Error::ReadFile { file: file.clone(), source }),
    };
    let (header, indent) =
        (session.config().text("tailor", "build_file_header"), session.config().text("tailor", "build_file_indent"));
    let begins = now.as_deref().or(header).unwrap_or_default();
    let next = append_targets(begins, indent.unwrap_or("    "), missing);
    if !checks {
        rewrite(session.build_root(), file, now.as_ref().map(|text| Digest::of(text.as_bytes())), next.as_bytes())?;
    }
    Ok(now.is_none())
}
