//! Merges two versions of a lockfile: merges the requirements that they were made from, then resolves these with the pins of both
//! sides as preferences. During a merge, git has not yet updated the working tree, so the requirements come from the lockfiles.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::{RelPath, replace_file};
use crate::config::typed::GenerateLockfilesSettings;
use crate::packaging::lockfile::pins::{self, Pins};
use crate::packaging::lockfile::{self, Format, detect_format};
use crate::packaging::requirement::{self, canonical};
use crate::plan::lock_run::ResolveOptions;
use crate::plan::requirements;
use crate::prepare::Error;
use crate::prepare::locks::generate::{self, Job};
use crate::prepare::locks::known::{self, KnownLock, Origin};
use crate::prepare::locks::pinned;
use crate::prepare::locks::resolver;
use crate::session::{self, Session, toolchains};

/// The name of the list of requirements in a sidecar file.
const REQUIREMENTS: &str = "generated_with_requirements";

/// The files that git passes to a merge driver, absolute.
pub struct Versions {
    /// The common ancestor; empty if there is none.
    pub base: PathBuf,
    /// The version of the current branch. The result replaces it.
    pub ours: PathBuf,
    /// The version of the other branch.
    pub theirs: PathBuf,
    /// The path of the lockfile in the working tree.
    pub path: PathBuf,
}

/// Merges a lockfile, or the sidecar file of one. Returns its path, relative to the build root. If there is no solution, the
/// version of the current branch is unchanged.
pub fn merge(session: &mut Session, versions: &Versions) -> Result<String, Error> {
    let path = session.context.display_path(&versions.path);
    let read = |path: &Path| {
        session
            .context
            .tracker
            .read_to_string(path)
            .map_err(|source| Error::MergeInput { path: path.to_owned(), source })
    };
    let texts = [read(&versions.base)?, read(&versions.ours)?, read(&versions.theirs)?];
    let merged = match path.strip_suffix(".metadata") {
        _ if path == pinned::REPOSITORY_LOCK => merge_pinned(session, &texts)?,
        Some(lock) => {
            find(session, lock)?;
            merge_sidecar(&texts)
        }
        None => {
            let (name, path) = find(session, &path)?;
            merge_lock(session, name, path, &texts)?
        }
    };
    let output = |source| session::Error::Output { path: versions.ours.clone(), source };
    replace_file(&versions.ours, merged.as_bytes()).map_err(output)?;
    Ok(path)
}

/// The resolve whose lockfile has this path.
fn find(session: &Session, path: &str) -> Result<(String, String), Error> {
    let resolves = known::resolves(session);
    let is_same = |known: &str| RelPath::parse(known).is_ok_and(|known| known.as_str() == path);
    if let Some(found) = resolves.iter().find(|(_, known)| is_same(known)) {
        return Ok(found.clone());
    }
    let known = resolves.into_iter().map(|(_, path)| path).collect();
    Err(Error::NotALockfile { path: path.to_owned(), known })
}

/// Both lists, without what one of the sides removed.
fn merge_lists(base: &[String], ours: &[String], theirs: &[String]) -> BTreeSet<String> {
    let kept_by = |side: &[String], text: &String| side.contains(text) || !base.contains(text);
    let both = ours.iter().chain(theirs);
    both.filter(|text| kept_by(ours, text) && kept_by(theirs, text)).cloned().collect()
}

/// For each package the versions of the side that changed them; those of both sides if both did.
fn merge_pins(base: &Pins, ours: &Pins, theirs: &Pins) -> Pins {
    let mut merged = Pins::new();
    for name in ours.keys().chain(theirs.keys()) {
        let (was, our, their) = (base.get(name), ours.get(name), theirs.get(name));
        let versions = match (our == was, their == was) {
            (true, _) => their.into_iter().chain(None),
            (false, true) => our.into_iter().chain(None),
            (false, false) => our.into_iter().chain(their),
        };
        merged.entry(name.clone()).or_default().extend(versions.flatten().cloned());
    }
    merged.retain(|_, versions| !versions.is_empty());
    merged
}

/// The requirements that a version of a lockfile was made from, if it records them.
fn recorded_requirements(text: &str) -> Option<Vec<String>> {
    let lock = lockfile::parse("a version", text, None).ok()?;
    let metadata = lock.metadata.and_then(|metadata| metadata.generated_with_requirements);
    let roots = || Some(lock.roots.iter().map(canonical).collect::<Vec<_>>()).filter(|roots| !roots.is_empty());
    metadata.or_else(roots)
}

/// The file of Waders with the versions of both sides, for the requirements of the working tree. After the merge, it is written
/// again if the requirements changed.
fn merge_pinned(session: &mut Session, [_, ours, theirs]: &[String; 3]) -> Result<String, Error> {
    let constraints = toolchains::default_constraints(session.config());
    let request = pinned::repository_request(session, &constraints)?;
    pinned::pin_again(session, &request, ResolveOptions::default(), Some(format!("{ours}\n{theirs}")))
}

fn merge_lock(session: &mut Session, name: String, path: String, texts: &[String; 3]) -> Result<String, Error> {
    let declared = generate::resolve_requirements(session, &name)?;
    let [base, ours, theirs] = texts;
    let recorded = recorded_requirements(ours).zip(recorded_requirements(theirs));
    let requirements = match recorded {
        Some((ours, theirs)) => merge_lists(&recorded_requirements(base).unwrap_or_default(), &ours, &theirs),
        None => declared.clone(),
    };
    // uv's lockfile does not record how its requirements were written.
    let as_declared = |text: String| {
        let same = |declared: &&String| requirement::parse(declared).is_ok_and(|parsed| canonical(&parsed) == text);
        declared.iter().find(same).cloned().unwrap_or(text)
    };
    let requirements = requirements.into_iter().map(as_declared).collect();
    let constraints = toolchains::constraints_of_resolve(session.config(), &name);
    let lock = KnownLock { name, path, origin: Origin::Tool { requirements, constraints } };
    let settings = GenerateLockfilesSettings::parse(session.config());
    let mut job: Job = generate::job(session, lock, &settings)?;
    job.format = detect_format(ours);
    if job.format == Format::Poetry {
        return Err(requirements::Error::from(lockfile::Error::of(job.path, lockfile::Problem::OnlyPoetry)).into());
    }
    job.old = Some(ours.clone());
    job.request.pins = Some(merge_pins(&pins::read(base), &pins::read(ours), &pins::read(theirs)));
    job.request.old = Some(ours.clone());
    let resolved = resolver::resolve_all(session, &[&job.request])?.pop().ok_or(session::Error::Interrupted)??;
    generate::lock_text(session, &job, &resolved)
}

/// The sidecar of the current branch with the merged requirements, and other values where only the other branch changed them.
fn merge_sidecar(texts: &[String; 3]) -> String {
    let parse = |text: &String| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let [base, mut ours, theirs] = [&texts[0], &texts[1], &texts[2]].map(parse);
    let list = |value: &Value| -> Vec<String> {
        let found = value.get(REQUIREMENTS).and_then(Value::as_array).into_iter().flatten();
        found.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let requirements = merge_lists(&list(&base), &list(&ours), &list(&theirs));
    let Some(fields) = ours.as_object_mut() else { return texts[1].clone() };
    for (name, value) in theirs.as_object().into_iter().flatten() {
        if fields.get(name) == base.get(name) {
            fields.insert(name.clone(), value.clone());
        }
    }
    fields.insert(REQUIREMENTS.to_owned(), requirements.into_iter().collect());
    lockfile::write::pretty(&ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_one_side_added_or_removed_is_merged() {
        let check = |base: &str, ours: &str, theirs: &str, expected: &str| {
            let merged: Vec<String> = merge_lists(&texts(base), &texts(ours), &texts(theirs)).into_iter().collect();
            assert_eq!(merged, texts(expected));
        };
        check("a b", "a b c", "a b d", "a b c d");
        check("a b", "a", "a b", "a");
        check("a==1 b", "a==2 b", "a==1", "a==2");
        check("", "a", "b", "a b");
    }

    #[test]
    fn the_versions_of_the_side_that_changed_a_pin_are_preferred() {
        let pins = |text: &str| pins::read(&text.replace(' ', "\n"));
        let merged =
            merge_pins(&pins("a==1 b==1 c==1 d==1"), &pins("a==2 b==1 c==2 d==1"), &pins("a==1 b==3 c==3 e==1"));
        assert_eq!(merged, pins("a==2 b==3 c==2 c==3 e==1"));
    }

    #[test]
    fn sidecars_are_merged_by_field() {
        let sidecar = |requirements: &str, manylinux: &str| {
            format!("{{\"{REQUIREMENTS}\": [{requirements}], \"manylinux\": \"{manylinux}\", \"resolve\": \"a\"}}")
        };
        let merged =
            merge_sidecar(&[sidecar("\"a\"", "one"), sidecar("\"a\", \"b\"", "one"), sidecar("\"a\", \"c\"", "two")]);
        let merged: Value = serde_json::from_str(&merged).unwrap();
        assert_eq!(merged[REQUIREMENTS], serde_json::json!(["a", "b", "c"]));
        assert_eq!(merged["manylinux"], "two");
    }
}
