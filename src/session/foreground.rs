//! Programs of this machine in the foreground, for `run`, `repl` and `py`: they have the caller's terminal, environment and signals.
//! Everything else runs in sandboxes, except for `git`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use crate::session::{Error, Session};

/// A program of this machine.
#[derive(Clone, Debug)]
pub struct HostProgram {
    /// The absolute path of the program, and its arguments.
    pub argv: Vec<String>,
    /// Variables in addition to those of the caller.
    pub env: BTreeMap<String, String>,
    /// The working directory.
    pub cwd: PathBuf,
}

/// The exit code of a process that was ended by a signal, as a shell reports it: 128 and the number of the signal.
pub fn code_of_signal(signal: i32) -> i32 {
    128 + signal
}

/// Runs a program until it ends, and returns its exit code. Nothing is shown meanwhile.
pub fn run(session: &Session, program: &HostProgram) -> Result<i32, Error> {
    let failed = |source| Error::Start { program: program.argv.first().cloned().unwrap_or_default(), source };
    session.ui.console.clear();
    if let Some(store) = session.services.opened_store() {
        // The user decides how long the program runs.
        store.suspend(&[])?;
    }
    session.services.cancellation.start_foreground();
    let runtime = session.services.runtime();
    let status = runtime.block_on(async {
        // Signals that arrive from now on are forwarded.
        let mut forwarder = Forwarder::new()?;
        let child = start(program)?;
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        let mut ended = tokio::task::spawn_blocking(move || wait(child));
        loop {
            tokio::select! {
                status = &mut ended => return status.map_err(io::Error::other)?,
                // Fails only if the program has just ended.
                signal = forwarder.next() => drop(kill(pid, signal)),
            }
        }
    });
    if let Some(store) = session.services.opened_store() {
        store.resume()?;
    }
    let status = status.map_err(failed)?;
    Ok(status.code().unwrap_or_else(|| code_of_signal(status.signal().unwrap_or_default())))
}

#[expect(clippy::disallowed_methods, reason = "the user asks for a program outside a sandbox")]
fn start(program: &HostProgram) -> io::Result<Child> {
    let (first, args) = program.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    Command::new(first).args(args).envs(&program.env).env("PWD", &program.cwd).current_dir(&program.cwd).spawn()
}

fn wait(mut child: Child) -> io::Result<ExitStatus> {
    child.wait()
}

/// The signals that are passed on to a program.
struct Forwarder {
    signals: Vec<(Signal, tokio::signal::unix::Signal)>,
}

impl Forwarder {
    /// A terminal sends its signals to the program itself: every process in the foreground gets them.
    fn new() -> io::Result<Forwarder> {
        let mut wanted = vec![(Signal::SIGTERM, SignalKind::terminate()), (Signal::SIGHUP, SignalKind::hangup())];
        let typed = [(Signal::SIGINT, SignalKind::interrupt()), (Signal::SIGQUIT, SignalKind::quit())];
        let has_terminal = io::stdin().is_terminal();
        let mut signals = Vec::new();
        wanted.extend(typed);
        for (number, kind) in wanted {
            let listener = signal(kind)?;
            if !has_terminal || !typed.iter().any(|(typed, _)| *typed == number) {
                signals.push((number, listener));
            }
        }
        Ok(Forwarder { signals })
    }

    async fn next(&mut self) -> Signal {
        let received = |cx: &mut std::task::Context<'_>| {
            for (number, listener) in &mut self.signals {
                if listener.poll_recv(cx).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        };
        std::future::poll_fn(received).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Config, Environment};
    use crate::session::Terminal;

    fn check(script: &str, expected: i32) {
        let terminal = Terminal::default();
        let environment = Environment::default();
        let session = Session::new(Config::default(), environment, "/".into(), Vec::new(), terminal).unwrap();
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let env = BTreeMap::from([("ADDED".to_owned(), "1".to_owned())]);
        let program = HostProgram { argv, env, cwd: "/usr".into() };
        assert_eq!(run(&session, &program).unwrap(), expected, "{script}");
    }

    /// One test, because a signal to this process reaches the programs of all its tests, even of one that starts later: tokio
    /// delivers a signal that arrives while no runtime runs to the next runtime.
    #[test]
    fn a_program_returns_its_exit_code_and_gets_signals() {
        the_exit_code_is_that_of_the_program_or_names_the_signal();
        a_signal_is_passed_on_to_the_program();
    }

    fn the_exit_code_is_that_of_the_program_or_names_the_signal() {
        check("exit 7", 7);
        check("kill -TERM $$", 143);
        check("test \"$PWD/$ADDED\" = /usr/1 && test -n \"$PATH\"", 0);
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        let terminal = Terminal::default();
        let session =
            Session::new(Config::default(), Environment::default(), "/".into(), Vec::new(), terminal).unwrap();
        let program = HostProgram { argv: vec!["/nowhere/x".to_owned()], env: BTreeMap::new(), cwd: "/".into() };
        assert_eq!(run(&session, &program).unwrap_err().to_string(), "cannot start `/nowhere/x`");
    }

    fn a_signal_is_passed_on_to_the_program() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The signal must not end the tests before the program has started.
        let installed = runtime.block_on(async { Forwarder::new() }).unwrap();
        let sender = std::thread::spawn(move || {
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(200));
                kill(Pid::this(), Signal::SIGHUP).unwrap();
            }
        });
        // The program ends itself by another signal after a while, so that a lost signal does not block the test.
        check("trap 'exit 9' HUP; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done; kill -KILL $$", 9);
        sender.join().unwrap();
        drop(installed);
    }
}
