//! The files that changed according to git. The only place that starts a program of the host: the format of git's files is
//! its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::base::RelPath;
use crate::tracked::Tracker;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`git` could not be started")]
    Start(#[source] std::io::Error),
    #[error("`git {command}` failed: {stderr}")]
    Failed { command: String, stderr: String },
}

/// The changes to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Since the merge base with this commit: committed, uncommitted and untracked files.
    Since(&'a str),
    /// Between two commits, `a..b`, or those of one commit.
    Between(&'a str),
}

/// The files below the build root that were changed, added or deleted, sorted. A renamed file counts as deleted and added.
pub fn changed_files(tracker: &Tracker, build_root: &Path, change: Change<'_>) -> Result<Vec<RelPath>, Error> {
    // No tracked file shows whether its commits changed.
    tracker.mark_untraceable();
    let mut files = BTreeSet::new();
    match change {
        Change::Since(commit) => {
            files.extend(diff(build_root, &format!("{commit}...HEAD"))?);
            files.extend(diff(build_root, "HEAD")?);
            files.extend(listed(build_root, &["ls-files", "--others", "--exclude-standard", "-z"])?);
        }
        Change::Between(commits) if commits.contains("..") => files.extend(diff(build_root, commits)?),
        Change::Between(commit) => files.extend(in_commit(build_root, commit)?),
    }
    Ok(files.into_iter().collect())
}

/// The files that a commit changed.
fn in_commit(build_root: &Path, commit: &str) -> Result<Vec<RelPath>, Error> {
    let words = ["diff-tree", "-r", "--no-commit-id", "--name-only", "--no-renames", "--relative", "-z"];
    listed(build_root, &[&words[..], &["--end-of-options", commit, "--"]].concat())
}

fn diff(build_root: &Path, commits: &str) -> Result<Vec<RelPath>, Error> {
    // `--end-of-options`: a commit that begins with `-` is not a flag.
    let words = ["diff", "--name-only", "--no-renames", "--relative", "-z", "--end-of-options", commits, "--"];
    listed(build_root, &words)
}

/// The names that git prints, each ended by a zero byte. Names that are not UTF-8 cannot be sources, and are left out.
#[expect(clippy::disallowed_methods, reason = "git is the only program that is run outside the sandbox")]
fn listed(build_root: &Path, words: &[&str]) -> Result<Vec<RelPath>, Error> {
    let output = Command::new("git").args(words).current_dir(build_root).output().map_err(Error::Start)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Failed { command: words.join(" "), stderr });
    }
    let names = output.stdout.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
    Ok(names.filter(|name| !name.is_empty()).filter_map(|name| RelPath::parse(name).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with one commit of `src/kept.py`, `src/gone.py` and `src/changed.py`, unless git is missing.
    fn repository() -> Option<tempfile::TempDir> {
        let dir = tempfile::tempdir().unwrap();
        if !git(dir.path(), &["init", "-q"]) {
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
        assert!(git(dir, &["add", "-A"]) && git(dir, &["commit", "-q", "-m", "more"]));
    }

    fn git(dir: &Path, words: &[&str]) -> bool {
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
    fn the_error_contains_the_output_of_git() {
        let dir = tempfile::tempdir().unwrap();
        let error = changed_files(&Tracker::default(), dir.path(), Change::Since("HEAD")).unwrap_err().to_string();
        assert!(error.starts_with("`git "), "{error}");
    }
}
