//! Completion in real shells, each on a pseudoterminal: a line is typed with a tab at its end, and the shell prints what it became.
//! What the program answers is tested in `cli::complete`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;

/// The beginning of a line, and what the shell makes of it.
const CASES: [(&str, &str); 9] = [
    ("waders pee", "waders peek"),
    ("waders list src/app:ma", "waders list src/app:main"),
    ("waders list -src/app:ma", "waders list -src/app:main"),
    ("waders list :: src/app/o", "waders list :: src/app/one.py"),
    ("waders list src/app/my\\ f", "waders list src/app/my file.py"),
    ("waders list --filter-target-type=docker_i", "waders list --filter-target-type=docker_image"),
    ("waders list --changed-since=relea", "waders list --changed-since=release/1"),
    ("waders list src/nothing:", "waders list src/nothing:"),
    // A flag with a value is continued without a blank.
    ("waders list --output-f\tx", "waders list --output-file=x"),
];

/// A shell with a terminal of its own.
struct Shell {
    process: Child,
    master: File,
    shown: String,
}

impl Shell {
    fn start(argv: &[&str], cwd: &Path) -> Shell {
        let terminal = openpty(None, None).unwrap();
        let stream = || Stdio::from(terminal.slave.try_clone().unwrap());
        let programs = Path::new(env!("CARGO_BIN_EXE_waders")).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        // Starts a session whose terminal is this one: setsid(1).
        let mut command = Command::new("setsid");
        command.arg("--ctty").args(argv).current_dir(cwd);
        command.env("PATH", path).env("HOME", cwd).env("TERM", "xterm").env("XDG_CACHE_HOME", cwd.join("cache"));
        command.env_remove("XDG_CONFIG_HOME").env_remove("PROMPT_COMMAND");
        let process = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Shell { process, master: File::from(terminal.master), shown: String::new() }
    }

    /// Types a text, and waits until the terminal shows another.
    fn type_in(&mut self, text: &str, wanted: &str) {
        self.shown.clear();
        self.master.write_all(text.as_bytes()).unwrap();
        let mut part = [0; 4096];
        while !self.shown.contains(wanted) {
            let mut ready = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            let count = poll(&mut ready, PollTimeout::from(30_000_u16)).unwrap();
            assert!(count > 0, "`{wanted}` is not shown after `{text}`: {:?}", self.shown);
            let length = self.master.read(&mut part).unwrap_or(0);
            assert!(length > 0, "the shell ended after `{text}`: {:?}", self.shown);
            self.shown += &String::from_utf8_lossy(&part[..length]);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_repository(dir: &Path) {
    for (name, text) in [
        ("pants.toml", ""),
        ("src/app/BUILD", "python_sources()\npex_binary(name='main', entry_point='one.py')\n"),
        ("src/app/one.py", ""),
        ("src/app/my file.py", ""),
    ] {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"];
    for words in [&["init", "-q"][..], &["commit", "-q", "--allow-empty", "-m", "one"], &["branch", "release/1"]] {
        assert!(Command::new("git").args(identity).args(words).current_dir(dir).status().unwrap().success());
    }
}

/// Types each line in a shell. `setup` loads the completion script.
fn check(argv: &[&str], setup: &str) {
    if Command::new(argv[0]).arg("--version").output().is_err() {
        return println!("skipped: {} is not installed", argv[0]);
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    write_repository(dir.path());
    let mut shell = Shell::start(argv, dir.path());
    // The quotes keep the echo of what is typed from looking like the answer.
    shell.type_in(&format!("{setup}; echo REA''DY\n"), "READY");
    for (typed, expected) in CASES {
        // At the end, Ctrl-A goes to the beginning of the line. A blank after the completed word is not part of it.
        shell.type_in(&format!("{typed}\t\x01echo DO''NE: \n"), &format!("DONE: {expected}\r\n"));
    }
}

#[test]
fn bash_completes() {
    check(&["bash", "--norc", "--noprofile", "-i"], "source <(waders completions bash)");
}

#[test]
fn zsh_completes() {
    check(&["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source <(waders completions zsh)");
}

#[test]
fn fish_completes() {
    check(&["fish", "--no-config", "-i"], "waders completions fish | source");
}
