//! `lockfile-merge`: a merge driver for git, which resolves the merged requirements of a lockfile instead of merging its lines.

use std::path::PathBuf;

use crate::goals::Error;
use crate::prepare::locks::merge::{self, Versions};
use crate::session::{Session, Verdict};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let [base, ours, theirs, path] = session.context.specs.as_slice() else { return Err(Error::MergeArguments) };
    let cwd = session.environment().cwd.clone();
    let in_cwd = |word: &String| -> PathBuf { cwd.join(word) };
    let versions = Versions { base: in_cwd(base), ours: in_cwd(ours), theirs: in_cwd(theirs), path: in_cwd(path) };
    session.repository.creates_lockfiles = true;
    let merged = merge::merge(session, &versions);
    session.repository.creates_lockfiles = false;
    let note = format!("merged `{}`", merged?);
    session.ui.note(&note, Some("run `waders generate-lockfiles` if the requirements changed in other ways"));
    Ok(Verdict::Good)
}
