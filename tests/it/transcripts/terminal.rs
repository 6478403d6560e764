//! Programs with the terminal, on a pseudoterminal: what a user types reaches them, interrupts included, and the terminal has its
//! settings again afterwards.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::transcripts::workspace::Workspace;

const REPOSITORY: &str = "foreground";

/// The character that Ctrl-C types.
const INTERRUPT: &[u8] = b"\x03";

/// A run that has a terminal of its own.
struct Typing {
    waders: Child,
    master: File,
    slave: OwnedFd,
    shown: String,
}

impl Typing {
    fn start(workspace: &Workspace, args: &[&str]) -> Typing {
        let size = Winsize { ws_row: 31, ws_col: 97, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(&size, None).unwrap();
        let stream = || Stdio::from(terminal.slave.try_clone().unwrap());
        let waders = workspace.waders(REPOSITORY, args);
        // Starts a session whose terminal is this one: setsid(1).
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(waders.get_program()).args(waders.get_args());
        command.current_dir(waders.get_current_dir().unwrap());
        command.envs(waders.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let waders = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Typing { waders, master: File::from(terminal.master), slave: terminal.slave, shown: String::new() }
    }

    /// Reads until the terminal has shown a text.
    fn wait_for(&mut self, wanted: &str) {
        let mut part = [0; 4096];
        while !self.shown.contains(wanted) {
            let length = self.master.read(&mut part).unwrap();
            self.shown += &String::from_utf8_lossy(&part[..length]);
            let ended = self.waders.try_wait().unwrap();
            assert!(ended.is_none() || self.shown.contains(wanted), "{ended:?}: {}", self.shown);
        }
    }

    fn type_in(&mut self, text: &[u8]) {
        self.master.write_all(text).unwrap();
    }

    /// The exit code, after the end of the run.
    fn end(mut self) -> i32 {
        // Reads what is shown, so that the run never waits for it.
        let mut master = self.master.try_clone().unwrap();
        std::thread::spawn(move || std::io::copy(&mut master, &mut std::io::sink()));
        let status = self.waders.wait().unwrap();
        let flags = tcgetattr(&self.slave).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG), "{flags:?}");
        status.code().unwrap()
    }
}

#[test]
fn a_shell_in_a_sandbox_has_a_terminal_of_the_same_size_and_is_interrupted_by_its_user() {
    let Some(workspace) = Workspace::running() else { return };
    let mut typing = Typing::start(&workspace, &["shell", "tests/names_test.py"]);
    typing.wait_for("(sandbox) $ ");
    typing.type_in(b"stty size\n");
    typing.wait_for("31 97");
    // A command of the shell itself: a child process that the shell has just forked can lose an interrupt.
    typing.type_in(b"trap 'echo trap''ped' INT; echo rea''dy; read -r line\n");
    typing.wait_for("ready");
    typing.type_in(INTERRUPT);
    typing.wait_for("trapped");
    // If the interrupt arrived before `read` began, the shell runs the trap first and then waits for a line.
    typing.type_in(b"\nexit 5\n");
    assert_eq!(typing.end(), 5);
}

#[test]
fn an_interrupt_is_for_the_program() {
    let Some(workspace) = Workspace::running() else { return };
    for args in [&["run", "src/app/waits-here.py"][..], &["run", "--sandbox", "src/app/waits-here.py"]] {
        let mut typing = Typing::start(&workspace, args);
        typing.wait_for("waiting");
        typing.type_in(INTERRUPT);
        typing.wait_for("KeyboardInterrupt");
        assert_eq!(typing.end(), 130, "{args:?}");
    }
}

#[test]
fn a_loop_runs_again_after_an_edit_and_leaves_nothing_behind() {
    const WAITING: &str = "Waiting for changes of files (Ctrl-C ends).";
    let Some(workspace) = Workspace::running() else { return };
    let mut typing = Typing::start(&workspace, &["--loop", "test", "tests/names_test.py"]);
    typing.wait_for(WAITING);
    assert!(typing.shown.contains("1 file passed"), "{}", typing.shown);
    let test = workspace.repository(REPOSITORY).join("tests/names_test.py");
    let text = std::fs::read_to_string(&test).unwrap();
    for (edited, expected) in [(text.replace("first-party", "another"), "1 file failed"), (text, "1 file passed")] {
        typing.shown.clear();
        std::fs::write(&test, edited).unwrap();
        typing.wait_for(WAITING);
        assert!(typing.shown.contains(expected), "{}", typing.shown);
    }
    let session = typing.waders.id().to_string();
    typing.type_in(INTERRUPT);
    assert_eq!(typing.end(), 1);
    assert_eq!(processes_of_session(&session), Vec::<String>::new());
}

#[test]
fn only_a_terminal_shows_where_the_help_about_an_error_is() {
    let Some(workspace) = Workspace::running() else { return };
    std::fs::remove_file(workspace.repository(REPOSITORY).join("waders.lock")).unwrap();
    let args = ["--frozen", "test", "tests/names_test.py"];
    let mut typing = Typing::start(&workspace, &args);
    typing.wait_for("For more about this error, run `waders help 78`.");
    assert_eq!(typing.end(), 78);
    let output = workspace.waders(REPOSITORY, &args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(78) && !stderr.contains("waders help"), "{stderr}");
    let output = workspace.waders(REPOSITORY, &["help", "78"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("\nA lock is missing or out of date\n"));
}

/// The processes that belong to a session, as lines of proc_pid_stat(5).
fn processes_of_session(session: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    // After the name in parentheses follow the state, the parent, the group and the session.
    let is_own = |stat: &String| stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(4)) == Some(session);
    stats.filter(is_own).collect()
}
