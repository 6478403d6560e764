//! The caller's terminal for a step: a pseudoterminal that the step controls, and a relay between the two. The step gets
//! interrupts, job control and the size of the window, but cannot reach the caller's terminal itself: pty(7).

use std::future::pending;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{OutputFlags, SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{pipe2, read, write};
use rustix::termios::{tcgetwinsize, tcsetwinsize};
use tokio::signal::unix::{Signal, SignalKind, signal};
use waders_sandbox::Streams;

/// The number of bytes that are passed on at once.
const CHUNK_BYTES: usize = 16 << 10;

/// Whether the caller's standard input is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// What the caller's terminal or another process asks for while a step has the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The window has another size, which the step's terminal now has too.
    Resized,
    /// The process is asked to end.
    Terminated,
}

/// Passes bytes between the caller's terminal and that of a step. Dropping it restores the caller's terminal.
pub(super) struct Relay {
    /// The terminal settings before the relay.
    saved: Termios,
    /// Our end of the step's terminal.
    master: OwnedFd,
    signals: [Signal; 3],
    /// The thread that copies bytes, and the descriptor that ends it when it is closed.
    copying: Option<(JoinHandle<()>, OwnedFd)>,
}

impl Relay {
    /// Creates a terminal for a step, and replaces with it those of the streams that are the caller's terminal.
    pub(super) fn start(streams: &mut Streams) -> io::Result<Relay> {
        let stdin = io::stdin();
        let saved = tcgetattr(&stdin)?;
        let terminal = openpty(None, &saved)?;
        tcsetwinsize(&terminal.master, tcgetwinsize(&stdin)?)?;
        let master = terminal.master;
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let [shows_output, shows_errors] = [io::stdout().is_terminal(), io::stderr().is_terminal()];
        let display = match (shows_output, shows_errors) {
            (true, _) => io::stdout().as_fd().try_clone_to_owned()?,
            (false, true) => io::stderr().as_fd().try_clone_to_owned()?,
            (false, false) => stdin.as_fd().try_clone_to_owned()?,
        };
        streams.stdin = Some(terminal.slave.try_clone()?);
        if shows_output {
            streams.stdout = terminal.slave.try_clone()?;
        }
        if shows_errors {
            streams.stderr = terminal.slave;
        }
        let kinds = [SignalKind::window_change(), SignalKind::terminate(), SignalKind::hangup()];
        let [resized, terminated, hung_up] = kinds.map(signal);
        let (ended, end) = pipe2(OFlag::O_CLOEXEC)?;
        let copier = Copier { stdin: stdin.as_fd().try_clone_to_owned()?, display, master: master.try_clone()?, ended };
        tcsetattr(&stdin, SetArg::TCSADRAIN, &raw(&saved, shows_output && shows_errors))?;
        let copying = Some((std::thread::spawn(move || copier.copy()), end));
        Ok(Relay { saved, master, signals: [resized?, terminated?, hung_up?], copying })
    }

    async fn event(&mut self) -> Event {
        let [resized, terminated, hung_up] = &mut self.signals;
        tokio::select! {
            _ = resized.recv() => {
                // A terminal that is gone has no size.
                let _ = tcgetwinsize(io::stdin()).and_then(|size| tcsetwinsize(&self.master, size));
                Event::Resized
            }
            _ = terminated.recv() => Event::Terminated,
            _ = hung_up.recv() => Event::Terminated,
        }
    }
}

/// The next event; none ever without a relay.
pub(super) async fn event(relay: Option<&mut Relay>) -> Event {
    match relay {
        Some(relay) => relay.event().await,
        None => pending().await,
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some((thread, end)) = self.copying.take() {
            drop(end);
            // A panic of the thread must not keep the terminal from being restored.
            let _ = thread.join();
        }
        // Fails only if the terminal is gone.
        let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.saved);
    }
}

/// The settings of a terminal that passes every key on. Other programs than the step may write to it unless it shows all of
/// the step's output: then lines still begin in the first column.
fn raw(saved: &Termios, shows_all: bool) -> Termios {
    let mut raw = saved.clone();
    cfmakeraw(&mut raw);
    if !shows_all {
        raw.output_flags |= saved.output_flags & (OutputFlags::OPOST | OutputFlags::ONLCR);
    }
    raw
}

/// Copies bytes in both directions.
struct Copier {
    stdin: OwnedFd,
    /// Where the step's output is shown.
    display: OwnedFd,
    /// Does not block.
    master: OwnedFd,
    /// Readable after the step has ended.
    ended: OwnedFd,
}

impl Copier {
    /// Returns after the step has ended and all its output was copied, or if one of the terminals is gone.
    fn copy(self) {
        let mut typed: Vec<u8> = Vec::new();
        let mut has_input = true;
        loop {
            let [from_stdin, from_master, has_ended, to_master] = match self.wait(has_input, !typed.is_empty()) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(_) => return,
            };
            if from_master && !self.show_output() {
                return;
            }
            if has_ended && !from_master {
                return;
            }
            if from_stdin {
                typed = receive(self.stdin.as_fd()).unwrap_or_default();
                has_input = !typed.is_empty();
            }
            if to_master || from_stdin {
                match write(&self.master, &typed) {
                    Ok(count) => drop(typed.drain(..count)),
                    Err(Errno::EAGAIN | Errno::EINTR) => {}
                    Err(_) => typed.clear(),
                }
            }
        }
    }

    /// What can be done without waiting: read from stdin, read from the step, end, write to the step. Nothing more is read from
    /// stdin while the step has not taken what was typed before.
    fn wait(&self, has_input: bool, has_typed: bool) -> Result<[bool; 4], Errno> {
        let (input, output) = (PollFlags::POLLIN, PollFlags::POLLIN | PollFlags::POLLOUT);
        let of_stdin = if has_input && !has_typed { input } else { PollFlags::empty() };
        let of_master = if has_typed { output } else { input };
        let mut ready = [
            PollFd::new(self.master.as_fd(), of_master),
            PollFd::new(self.ended.as_fd(), input),
            PollFd::new(self.stdin.as_fd(), of_stdin),
        ];
        // A descriptor without wanted events is still reported when its terminal is gone.
        let count = if of_stdin.is_empty() { 2 } else { 3 };
        poll(&mut ready[..count], PollTimeout::NONE)?;
        let events = |index: usize| ready[index].revents().unwrap_or(PollFlags::empty());
        let readable = PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR;
        Ok([
            count == 3 && events(2).intersects(readable),
            events(0).intersects(readable),
            events(1).intersects(readable),
            events(0).contains(PollFlags::POLLOUT),
        ])
    }

    /// Shows what the step wrote. Returns false if there will be no more: every process has closed the step's terminal.
    fn show_output(&self) -> bool {
        match receive(self.master.as_fd()) {
            Ok(output) => !output.is_empty() && write_all(self.display.as_fd(), &output).is_ok(),
            Err(error) => error == Errno::EAGAIN,
        }
    }
}

fn receive(from: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; CHUNK_BYTES];
    let count = loop {
        match read(from, &mut bytes) {
            Err(Errno::EINTR) => {}
            result => break result?,
        }
    };
    bytes.truncate(count);
    Ok(bytes)
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => drop(poll(&mut [PollFd::new(to, PollFlags::POLLOUT)], PollTimeout::NONE)?),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
