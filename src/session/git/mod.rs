//! The files that changed according to git. It is a program of the host, because the format of git's files is its own.

mod describe;
pub(super) mod source;
mod submodules;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use crate::base::RelPath;
use crate::tracked::Tracker;

pub(super) use describe::{describe, is_shallow, nearest_tag};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`git` could not be started")]
    Start(#[source] std::io::Error),
    #[error("`git {command}` failed: {stderr}")]
    Failed { command: String, stderr: String, clone: CloneKind },
}

/// Why a clone may not have a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneKind {
    /// There is no git repository.
    None,
    /// The clone has a part of the history.
    Shallow,
    /// The clone has the whole history.
    Full,
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Failed { clone: CloneKind::Shallow, .. } => {
                "this is a shallow clone, which may not have the commit: fetch more history, for instance with `git fetch --unshallow`, or with a greater fetch depth in CI"
            }
            Error::Failed { clone: CloneKind::Full, .. } => {
                "the commit must exist in this clone: for a branch of the server, run `git fetch` first"
            }
            Error::Start(_) | Error::Failed { clone: CloneKind::None, .. } => {
                "`--changed-since` and `--changed-diffspec` need git, and the build root in a git repository"
            }
        }
    }
}

/// The changes to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// Since the merge base with this commit: committed, uncommitted and untracked files.
    Since(&'a str),
    /// Between two commits, `a..b`, or those of one commit.
    Between(&'a str),
}

/// The files below the build root that were changed, added or deleted, sorted. A renamed file counts as deleted and added.
pub(super) fn changed_files(tracker: &Tracker, build_root: &Path, change: Change<'_>) -> Result<Vec<RelPath>, Error> {
    // No tracked file shows whether its commits changed.
    tracker.mark_untraceable();
    let mut files = BTreeSet::new();
    match change {
        Change::Since(commit) => {
            diff(tracker, build_root, &format!("{commit}...HEAD"), true, &mut files)?;
            diff(tracker, build_root, "HEAD", true, &mut files)?;
            files.extend(untracked(build_root)?);
        }
        Change::Between(commits) if commits.contains("..") => diff(tracker, build_root, commits, false, &mut files)?,
        Change::Between(commit) => {
            // The files that one commit changed.
            let words = ["diff-tree", "-r", "--no-commit-id", "--end-of-options", commit, "--"];
            raw_diff(tracker, build_root, &words, false, &mut files)?;
        }
    }
    Ok(files.into_iter().collect())
}

/// The text of a file in the merge base with a commit; `None` without them, and for a file that is not UTF-8.
pub(super) fn text_before(build_root: &Path, commit: &str, file: &RelPath) -> Option<String> {
    let base = git(build_root, &["merge-base", "--end-of-options", commit, "HEAD"]).ok()?;
    let base = String::from_utf8(base).ok()?;
    let text = git(build_root, &["show", "--end-of-options", &format!("{}:./{file}", base.trim())]).ok()?;
    String::from_utf8(text).ok()
}

/// The commit that is checked out, and how the files below the build root differ from it.
#[derive(Clone, Debug)]
pub struct CheckedOut {
    /// In hexadecimal digits.
    pub commit: String,
    /// The files of the commit, and the directories of submodules.
    committed: BTreeSet<RelPath>,
    changed: BTreeSet<RelPath>,
}

impl CheckedOut {
    /// `None` outside of a git repository, in one without commits, and where git is not installed.
    pub(super) fn find(tracker: &Tracker, build_root: &Path) -> Result<Option<CheckedOut>, Error> {
        let Ok(commit) = git(build_root, &["rev-parse", "--verify", "--end-of-options", "HEAD^{commit}"]) else {
            return Ok(None);
        };
        let changed = changed_files(tracker, build_root, Change::Since("HEAD"))?.into_iter().collect();
        let committed = paths(&git(build_root, &["ls-files", "-z"])?).collect();
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        Ok(Some(CheckedOut { commit, committed, changed }))
    }

    /// Whether a file is as in the commit. An ignored file is not.
    pub fn contains(&self, file: &RelPath) -> bool {
        let is_committed = |path: &RelPath| self.committed.contains(path);
        !self.changed.contains(file) && (is_committed(file) || file.ancestors().any(|above| is_committed(&above)))
    }
}

fn untracked(dir: &Path) -> Result<Vec<RelPath>, Error> {
    let output = git(dir, &["ls-files", "--others", "--exclude-standard", "-z"])?;
    Ok(paths(&output).collect())
}

/// Adds the files that differ. `to_worktree`: the changes of submodules reach up to their present files.
fn diff(
    tracker: &Tracker,
    dir: &Path,
    commits: &str,
    to_worktree: bool,
    files: &mut BTreeSet<RelPath>,
) -> Result<(), Error> {
    // `--end-of-options`: a commit that begins with `-` is not a flag.
    let words = ["diff", "--ignore-submodules=none", "--end-of-options", commits, "--"];
    raw_diff(tracker, dir, &words, to_worktree, files)
}

/// Runs `diff` or `diff-tree`, and adds the files that its output names, those in submodules included.
fn raw_diff(
    tracker: &Tracker,
    dir: &Path,
    words: &[&str],
    to_worktree: bool,
    files: &mut BTreeSet<RelPath>,
) -> Result<(), Error> {
    let format = ["--raw", "--no-abbrev", "--no-renames", "--relative", "-z"];
    let words = [&words[..1], &format, &words[1..]].concat();
    let output = git(dir, &words)?;
    // `:OLD_MODE NEW_MODE OLD_COMMIT NEW_COMMIT STATUS`, a zero byte, and the path.
    let mut fields = output.split(|byte| *byte == 0);
    while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
        let Some(path) = std::str::from_utf8(path).ok().and_then(|path| RelPath::parse(path).ok()) else { continue };
        let what = String::from_utf8_lossy(what);
        let columns: Vec<&str> = what.trim_start_matches(':').split(' ').collect();
        match columns[..] {
            [old_mode, new_mode, old, new, ..] if new_mode == SUBMODULE || old_mode == SUBMODULE => {
                let old = (old_mode == SUBMODULE).then_some(old);
                let new = (!to_worktree).then_some(new);
                let inside = in_submodule(tracker, &path.to_path(dir), old, new)?;
                files.extend(inside.iter().map(|file| path.join(file)));
            }
            _ => drop(files.insert(path)),
        }
    }
    Ok(())
}

/// The mode of a submodule in git's trees.
const SUBMODULE: &str = "160000";

/// The files of a submodule that differ between two of its commits; without a `new` commit, up to its present files. All
/// its files if it has no `old` commit, or a clone without that commit. None if it is not checked out.
fn in_submodule(
    tracker: &Tracker,
    dir: &Path,
    old: Option<&str>,
    new: Option<&str>,
) -> Result<BTreeSet<RelPath>, Error> {
    let mut files = BTreeSet::new();
    if tracker.metadata(&dir.join(".git")).is_err() {
        return Ok(files);
    }
    let compared = match (old, new) {
        (Some(old), Some(new)) => diff(tracker, dir, &format!("{old}..{new}"), false, &mut files).is_ok(),
        (Some(old), None) => diff(tracker, dir, old, true, &mut files).is_ok(),
        (None, _) => false,
    };
    if !compared {
        files.extend(paths(&git(dir, &["ls-files", "-z"])?));
    }
    if new.is_none() {
        files.extend(untracked(dir)?);
    }
    Ok(files)
}

/// The paths in an output of git, each ended by a zero byte. Names that are not UTF-8 cannot be sources, and are left out.
fn paths(output: &[u8]) -> impl Iterator<Item = RelPath> {
    let names = output.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
    names.filter(|name| !name.is_empty()).filter_map(|name| RelPath::parse(name).ok())
}

/// The standard output of a command of git.
fn git(dir: &Path, words: &[&str]) -> Result<Vec<u8>, Error> {
    let output = run(dir, words)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed { command: words.join(" "), stderr, clone: clone_kind(dir) })
}

/// What `git --version` prints.
pub(super) fn version(dir: &Path) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&git(dir, &["--version"])?).trim().to_owned())
}

/// The names of branches and tags, such as `main` and `origin/main`; empty outside of a git repository.
pub fn references(dir: &Path) -> Vec<String> {
    let words = ["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes", "refs/tags"];
    let listed = git(dir, &words).unwrap_or_default();
    String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect()
}

fn clone_kind(dir: &Path) -> CloneKind {
    match run(dir, &["rev-parse", "--is-shallow-repository"]) {
        Ok(answer) if answer.stdout.starts_with(b"true") => CloneKind::Shallow,
        Ok(answer) if answer.status.success() => CloneKind::Full,
        _ => CloneKind::None,
    }
}

#[expect(clippy::disallowed_methods, reason = "git is the only program that is run outside the sandbox")]
fn run(dir: &Path, words: &[&str]) -> Result<Output, Error> {
    Command::new("git").args(words).current_dir(dir).output().map_err(Error::Start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with one commit of `src/kept.py`, `src/gone.py` and `src/changed.py`, unless git is missing.
    fn repository() -> Option<tempfile::TempDir> {
        let dir = tempfile::tempdir().unwrap();
        if !run_git(dir.path(), &["init", "-q"]) {
            println!("skipped: git is not installed");
            return None;
        }
        std::fs::create_dir(dir.path().join("src")).unwrap();
        for name in ["kept", "gone", "changed"] {
            std::fs::write(dir.path().join(format!("src/{name}.py")), name).unwrap();
        }
        commit(dir.path());
        Some(dir)
    }

    fn commit(dir: &Path) {
        assert!(run_git(dir, &["add", "-A"]) && run_git(dir, &["commit", "-q", "-m", "more"]));
    }

    fn run_git(dir: &Path, words: &[&str]) -> bool {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(identity).args(words).current_dir(dir).output();
        output.is_ok_and(|output| output.status.success())
    }

    fn check(build_root: &Path, change: Change<'_>, expected: &[&str]) {
        let files = changed_files(&Tracker::default(), build_root, change).unwrap();
        assert_eq!(files.iter().map(RelPath::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn changed_added_and_deleted_files_are_listed() {
        let Some(dir) = repository() else { return };
        check(dir.path(), Change::Since("HEAD"), &[]);
        std::fs::write(dir.path().join("src/changed.py"), "other").unwrap();
        std::fs::write(dir.path().join("src/new \u{e4}.py"), "").unwrap();
        std::fs::remove_file(dir.path().join("src/gone.py")).unwrap();
        check(dir.path(), Change::Since("HEAD"), &["src/changed.py", "src/gone.py", "src/new \u{e4}.py"]);
        check(dir.path(), Change::Between("HEAD..HEAD"), &[]);
    }

    #[test]
    fn files_are_compared_with_the_commit_that_is_checked_out() {
        let Some(dir) = repository() else { return };
        for (name, text) in [("src/changed.py", "other"), ("src/new.py", ""), (".gitignore", "ignored.py")] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::write(dir.path().join("src/ignored.py"), "").unwrap();
        let found = CheckedOut::find(&Tracker::default(), dir.path()).unwrap().unwrap();
        assert!(found.commit.len() == 40 && found.commit.chars().all(|c| c.is_ascii_hexdigit()), "{found:?}");
        let is_same = |path: &str| found.contains(&RelPath::parse(path).unwrap());
        let files = ["src/kept.py", "src/changed.py", "src/new.py", "src/ignored.py"];
        assert_eq!(files.map(is_same), [true, false, false, false]);
    }

    #[test]
    fn without_a_commit_nothing_is_checked_out() {
        let dir = tempfile::tempdir().unwrap();
        let find = || CheckedOut::find(&Tracker::default(), dir.path()).unwrap();
        assert!(find().is_none());
        if run_git(dir.path(), &["init", "-q"]) {
            assert!(find().is_none());
        }
    }

    #[test]
    fn a_single_commit_lists_its_own_changes() {
        let Some(dir) = repository() else { return };
        std::fs::write(dir.path().join("src/changed.py"), "other").unwrap();
        commit(dir.path());
        std::fs::remove_file(dir.path().join("src/gone.py")).unwrap();
        commit(dir.path());
        std::fs::write(dir.path().join("src/kept.py"), "not committed").unwrap();
        check(dir.path(), Change::Between("HEAD~1"), &["src/changed.py"]);
        check(dir.path(), Change::Between("HEAD"), &["src/gone.py"]);
        check(dir.path(), Change::Between("HEAD~2..HEAD"), &["src/changed.py", "src/gone.py"]);
        check(dir.path(), Change::Between("HEAD~2...HEAD"), &["src/changed.py", "src/gone.py"]);
        check(&dir.path().join("src"), Change::Between("HEAD"), &["gone.py"]);
    }

    #[test]
    fn names_are_relative_to_the_build_root() {
        let Some(dir) = repository() else { return };
        std::fs::write(dir.path().join("src/changed.py"), "other").unwrap();
        std::fs::write(dir.path().join("outside.py"), "").unwrap();
        check(&dir.path().join("src"), Change::Since("HEAD"), &["changed.py"]);
    }

    #[test]
    fn a_commit_is_never_parsed_as_a_flag() {
        let Some(dir) = repository() else { return };
        let written = dir.path().join("written");
        let commit = format!("--output={}", written.display());
        for change in [Change::Since(&commit), Change::Between(&commit)] {
            let error = changed_files(&Tracker::default(), dir.path(), change).unwrap_err().to_string();
            assert!(error.contains("bad revision"), "{error}");
        }
        assert!(!written.exists());
    }

    #[test]
    fn changes_in_a_submodule_are_listed() {
        let Some(module) = repository() else { return };
        let Some(dir) = repository() else { return };
        let url = module.path().to_string_lossy().into_owned();
        let allow = "protocol.file.allow=always";
        assert!(run_git(dir.path(), &["-c", allow, "submodule", "--quiet", "add", &url, "sub"]));
        commit(dir.path());
        check(dir.path(), Change::Since("HEAD"), &[]);
        let sub = dir.path().join("sub");
        std::fs::write(sub.join("src/changed.py"), "other").unwrap();
        std::fs::write(sub.join("src/new.py"), "").unwrap();
        check(dir.path(), Change::Since("HEAD"), &["sub/src/changed.py", "sub/src/new.py"]);
        commit(&sub);
        check(dir.path(), Change::Since("HEAD"), &["sub/src/changed.py", "sub/src/new.py"]);
        commit(dir.path());
        check(dir.path(), Change::Since("HEAD"), &[]);
        for change in [Change::Since("HEAD~1"), Change::Between("HEAD~1..HEAD"), Change::Between("HEAD")] {
            check(dir.path(), change, &["sub/src/changed.py", "sub/src/new.py"]);
        }
    }

    #[test]
    fn a_missing_commit_of_a_shallow_clone_has_a_fitting_hint() {
        let Some(dir) = repository() else { return };
        std::fs::write(dir.path().join("src/changed.py"), "other").unwrap();
        commit(dir.path());
        let clone = tempfile::tempdir().unwrap();
        let url = format!("file://{}", dir.path().display());
        assert!(run_git(clone.path(), &["clone", "-q", "--depth=1", &url, "c"]));
        let hint = |root: &Path, commit: &str| {
            changed_files(&Tracker::default(), root, Change::Since(commit)).unwrap_err().hint()
        };
        assert!(hint(&clone.path().join("c"), "HEAD~1").contains("shallow clone"));
        assert!(hint(dir.path(), "origin/none").contains("git fetch"));
        assert!(hint(clone.path(), "HEAD").contains("need git"));
    }

    #[test]
    fn the_error_contains_the_output_of_git() {
        let dir = tempfile::tempdir().unwrap();
        let error = changed_files(&Tracker::default(), dir.path(), Change::Since("HEAD")).unwrap_err().to_string();
        assert!(error.starts_with("`git "), "{error}");
    }
}
