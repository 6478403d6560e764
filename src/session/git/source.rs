//! The files of one commit of another repository, fetched by git: packages that a lockfile takes from version control. Which submodules a
//! commit has is read in `submodules`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::base::RelPath;
use crate::session::git::submodules;

/// Why a commit cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// git is missing, or the directory cannot be written.
    #[error("`git` could not be started")]
    Start(#[source] std::io::Error),
    /// What git printed.
    #[error("`git {command}` failed: {stderr}")]
    Failed { command: &'static str, stderr: String },
    /// The server does not answer.
    #[error("`git {command}` printed nothing for {} s", .limit.as_secs())]
    Silent { command: &'static str, limit: Duration },
    /// A repository from a server must not read files of this machine.
    #[error("the submodule `{path}` names a directory of this machine: `{url}`")]
    LocalSubmodule { path: RelPath, url: String },
}

/// Settings of the user that would change the bytes of files.
const PLAIN_FILES: [&str; 6] = ["-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.symlinks=true"];

/// How many repositories may contain each other as submodules.
const MAX_DEPTH: usize = 16;

/// git itself waits for minutes for a server that does not answer, and has no setting for it.
const SILENCE: Duration = Duration::from_secs(60);

/// A commit whose files are written.
struct Wanted {
    url: String,
    commit: String,
    /// The directory of the files.
    place: PathBuf,
    /// The number of repositories that it is a submodule in.
    depth: usize,
}

/// Writes the files of a commit, or those of a directory in it, below `scratch`, with those of submodules, and returns their directory.
/// git compares what it receives with the hash of the commit. The way to the server is that of the user's settings; nobody is asked for a
/// password.
pub(in crate::session) fn check_out(
    scratch: &Path,
    url: &str,
    commit: &str,
    subdirectory: Option<&str>,
) -> Result<PathBuf, Error> {
    let files = scratch.join("files");
    let mut pending = vec![Wanted { url: url.to_owned(), commit: commit.to_owned(), place: files.clone(), depth: 0 }];
    for number in 0.. {
        let Some(wanted) = pending.pop() else { break };
        let repository = scratch.join(format!("repository{number}"));
        let subdirectory = subdirectory.filter(|_| wanted.depth == 0);
        write_commit(&repository, &wanted, subdirectory.unwrap_or("."))?;
        let inside = subdirectory.map(RelPath::parse).transpose().ok().flatten().unwrap_or_default();
        for found in submodules::find(&repository, &wanted.url, &wanted.commit)? {
            if wanted.depth == MAX_DEPTH || !found.path.starts_with(&inside) {
                continue;
            }
            if is_local(&found.url) && !is_local(&wanted.url) {
                return Err(Error::LocalSubmodule { path: found.path, url: found.url });
            }
            let (place, depth) = (found.path.to_path(&wanted.place), wanted.depth + 1);
            pending.push(Wanted { url: found.url, commit: found.commit, place, depth });
        }
    }
    Ok(subdirectory.map_or(files.clone(), |dir| files.join(dir)))
}

/// Whether git reads this URL from the disk.
fn is_local(url: &str) -> bool {
    let colon = url.find(':');
    url.starts_with("file:") || colon.is_none_or(|colon| url[..colon].contains('/'))
}

/// Fetches a commit into a new repository, and writes its files or those of a directory in it.
fn write_commit(repository: &Path, wanted: &Wanted, directory: &str) -> Result<(), Error> {
    let Wanted { url, commit, place, .. } = wanted;
    fs::create_dir_all(repository).and_then(|()| fs::create_dir_all(place)).map_err(Error::Start)?;
    output(git(repository, &["init", "--quiet", "--bare", "."]), "init")?;
    let fetch = |words: &[&str]| {
        let mut process = git(repository, &[&["fetch", "--progress", "--no-tags"], words].concat());
        // The URL of a submodule is not the user's: git refuses some protocols.
        process.env("GIT_PROTOCOL_FROM_USER", if wanted.depth == 0 || is_local(url) { "1" } else { "0" });
        watch(process, "fetch", SILENCE)
    };
    // Some servers give only the commits of branches and tags.
    if let Err(reason) = fetch(&["--depth=1", "--end-of-options", url, commit]) {
        if let Error::Silent { .. } = reason {
            return Err(reason);
        }
        fetch(&["--end-of-options", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])
            .map_err(|_| reason)?;
    }
    let place = place.to_string_lossy();
    let words = ["--work-tree", &place, "checkout", "--force", "--quiet", "--end-of-options", commit, "--", directory];
    let mut checkout = git(repository, &[&PLAIN_FILES[..], &words].concat());
    // Filters of the user's settings would change files.
    checkout.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    output(checkout, "checkout").map(drop)
}

/// A process of git in a bare repository.
#[expect(clippy::disallowed_methods, reason = "git is the only program that is run outside the sandbox")]
pub(super) fn git(repository: &Path, words: &[&str]) -> Command {
    let mut process = Command::new("git");
    process.args(words).current_dir(repository).stdin(Stdio::null());
    process.env("GIT_DIR", repository).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    process.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=20").env_remove("GIT_WORK_TREE");
    process.env("GIT_ATTR_NOSYSTEM", "1").env_remove("GIT_INDEX_FILE");
    process
}

/// What a process printed. `command` is its name in errors.
pub(super) fn output(mut process: Command, command: &'static str) -> Result<Vec<u8>, Error> {
    let Output { status, stdout, stderr } = process.output().map_err(Error::Start)?;
    if status.success() { Ok(stdout) } else { Err(Error::Failed { command, stderr: readable(&stderr) }) }
}

/// Waits for a process that reports its progress, unless it prints nothing for `limit`.
fn watch(mut process: Command, command: &'static str, limit: Duration) -> Result<(), Error> {
    let mut child = process.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(Error::Start)?;
    let mut stderr = child.stderr.take().expect("the standard error is a pipe");
    let (sender, receiver) = mpsc::channel();
    // Not joined: a program that git started may hold the pipe after git has ended.
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = stderr.read(&mut buffer) {
            if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut printed = Vec::new();
    loop {
        match receiver.recv_timeout(limit) {
            Ok(bytes) => printed.extend(bytes),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(Error::Silent { command, limit });
            }
        }
    }
    let status = child.wait().map_err(Error::Start)?;
    if status.success() { Ok(()) } else { Err(Error::Failed { command, stderr: readable(&printed) }) }
}

/// The lines of an error message of git, without progress.
fn readable(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let is_progress = |line: &str| line.contains('\r') || line.starts_with("remote: ") && line.ends_with("done.");
    text.trim().split('\n').filter(|line| !is_progress(line)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_answer_is_given_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/repository", listener.local_addr().unwrap());
        let dir = tempfile::tempdir().unwrap();
        if output(git(dir.path(), &["init", "--quiet", "--bare", "."]), "init").is_err() {
            println!("skipped: git is not installed");
            return;
        }
        let mut process = git(dir.path(), &["fetch", "--progress", &url]);
        process.env_remove("http_proxy").env("no_proxy", "*");
        let error = watch(process, "fetch", Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, Error::Silent { .. }), "{error}");
    }

    #[test]
    fn files_of_this_machine_are_recognized() {
        let check =
            |expected: bool, urls: &[&str]| urls.iter().for_each(|url| assert_eq!(is_local(url), expected, "{url}"));
        check(true, &["/srv/a.git", "file:///srv/a.git", "../a", "a", "./b:c"]);
        check(
            false,
            &["https://git.example.invalid/a.git", "git@git.example.invalid:a.git", "ssh://git.example.invalid/a"],
        );
    }

    #[test]
    fn messages_have_no_progress() {
        let printed = b"remote: Counting objects: 3, done.\nReceiving: 10%\rReceiving: 20%\r\nfatal: early EOF\n";
        assert_eq!(readable(printed), "fatal: early EOF");
    }
}
