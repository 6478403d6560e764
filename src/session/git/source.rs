//! The files of one commit of another repository, fetched by git: packages that a lockfile takes from version control.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Why a commit cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// git is missing, or the directory cannot be written.
    #[error("`git` could not be started")]
    Start(#[source] std::io::Error),
    /// What git printed.
    #[error("`git {command}` failed: {stderr}")]
    Failed { command: &'static str, stderr: String },
}

/// Settings of the user that would change the bytes of files.
const PLAIN_FILES: [&str; 6] = ["-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.symlinks=true"];

/// Writes the files of a commit, or those of a directory in it, below `scratch`, and returns their directory. git compares what it receives with the hash of the commit.
/// The way to the server is that of the user's settings; nobody is asked for a password.
pub(in crate::session) fn check_out(
    scratch: &Path,
    url: &str,
    commit: &str,
    subdirectory: Option<&str>,
) -> Result<PathBuf, Error> {
    let (repository, files) = (scratch.join("repository"), scratch.join("files"));
    fs::create_dir_all(&repository).and_then(|()| fs::create_dir_all(&files)).map_err(Error::Start)?;
    let git = |command: &'static str, words: &[&str]| run(&repository, command, words);
    git("init", &["--quiet", "--bare", "."])?;
    let fetch = |words: &[&str]| git("fetch", &[&["--quiet", "--no-tags", "--end-of-options", url], words].concat());
    // Some servers give only the commits of branches and tags.
    let exact = run(&repository, "fetch", &["--quiet", "--no-tags", "--depth=1", "--end-of-options", url, commit]);
    if let Err(reason) = exact {
        fetch(&["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]).map_err(|_| reason)?;
    }
    let place = files.to_string_lossy();
    let words = [
        &PLAIN_FILES[..],
        &[
            "--work-tree",
            &place,
            "checkout",
            "--force",
            "--quiet",
            "--end-of-options",
            commit,
            "--",
            subdirectory.unwrap_or("."),
        ],
    ];
    run_with(&repository, "checkout", &words.concat(), true)?;
    Ok(subdirectory.map_or(files.clone(), |dir| files.join(dir)))
}

fn run(dir: &Path, command: &'static str, words: &[&str]) -> Result<(), Error> {
    run_with(dir, command, &[&[command], words].concat(), false)
}

/// `is_isolated`: without settings of the user, whose filters would change files.
#[expect(clippy::disallowed_methods, reason = "git is the only program that is run outside the sandbox")]
fn run_with(dir: &Path, command: &'static str, words: &[&str], is_isolated: bool) -> Result<(), Error> {
    let mut process = Command::new("git");
    process.args(words).current_dir(dir).env("GIT_DIR", dir).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    process.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=20").env_remove("GIT_WORK_TREE");
    process.env("GIT_ATTR_NOSYSTEM", "1").env_remove("GIT_INDEX_FILE");
    if is_isolated {
        process.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    }
    let Output { status, stderr, .. } = process.output().map_err(Error::Start)?;
    let stderr = || String::from_utf8_lossy(&stderr).trim().replace('\n', "; ");
    if status.success() { Ok(()) } else { Err(Error::Failed { command, stderr: stderr() }) }
}
