//! The leader: the step's own first process, from its start to exec. It gives up all it can before it knows its
//! request, and the rest in an order in which each line still may.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, setsid};

use super::{Baggage, House, Program, caps, landlock, limits, receive_request, user};
use crate::error::{Cause, Doing};
use crate::wire::{self, Order};
use crate::{Error, Isolation, Request, sys};

/// The parent's handle on a leader that waits for its request.
pub struct Leader {
    pid: Pid,
    socket: OwnedFd,
}

impl Leader {
    /// With a filter it gives up its privileges; without, it is a plain process.
    pub fn start(filter: Option<&Program>) -> Result<Leader, Error> {
        let (socket, theirs) = wire::pair()?;
        match sys::clone(0).doing("start a process")? {
            sys::Side::Parent(pid) => Ok(Leader { pid, socket }),
            sys::Side::Child => {
                drop(socket);
                let Err(error) = live(&theirs, filter);
                // Nobody to tell means that nobody waits.
                let _ = wire::send(theirs.as_fd(), &error, &[]);
                sys::exit(127)
            }
        }
    }

    /// Hands over body, stdin, stdout and stderr, and waits until it has executed, or says why not.
    pub fn go(self, own: Vec<OwnedFd>) -> Result<Pid, Error> {
        let fds: Vec<BorrowedFd<'_>> = own.iter().map(AsFd::as_fd).collect();
        wire::send(self.socket.as_fd(), &Order::Run, &fds)?;
        match wire::receive::<Error>(self.socket.as_fd())? {
            Some((error, _)) => Err(error),
            // Exec has closed the other end.
            None => Ok(self.pid),
        }
    }
}

/// Returns only with the reason why it could not execute.
fn live(parent: &OwnedFd, filter: Option<&Program>) -> Result<Infallible, Error> {
    user::die_with_the_parent()?;
    setsid().doing("start a session")?;
    sys::default_signals();
    umask(Mode::from_bits_truncate(0o022));
    if let Some(filter) = filter {
        caps::drop_all()?;
        filter.install()?;
    }
    let Baggage { request, own, .. } = receive_request(parent)?;
    let program = Executable::of(&request)?;
    take_files(&own)?;
    let house = if filter.is_some() { House::PidNamespace } else { House::Subreaper };
    limits::apply(&request.limits, house)?;
    if request.isolation == Isolation::Full {
        landlock::restrict(&request)?;
    }
    chdir(&request.cwd).doing_with(|| format!("enter `{}`", request.cwd.display()))?;
    program.execute()
}

fn take_files(own: &[OwnedFd]) -> Result<(), Error> {
    dup2_stdin(&own[1]).doing("take stdin")?;
    dup2_stdout(&own[2]).doing("take stdout")?;
    dup2_stderr(&own[3]).doing("take stderr")?;
    // Exec closes the rest, and by that tells the parent that it happened.
    sys::close_from_on_exec(3).doing("close what is not the step's")
}

/// Argument and environment strings, made before anything is given up.
struct Executable {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Executable {
    fn of(request: &Request) -> Result<Executable, Error> {
        let text = |text: &str| {
            CString::new(text).map_err(|_| Error::Request(format!("`{}` holds a null byte", text.escape_debug())))
        };
        let path = request.argv.first().ok_or_else(|| Error::Request("argv is empty".to_owned()))?;
        let pair = |(name, value): (&String, &String)| match name.is_empty() || name.contains('=') {
            true => Err(Error::Request(format!("`{}` is no name for a variable", name.escape_debug()))),
            false => text(&format!("{name}={value}")),
        };
        Ok(Executable {
            path: text(path)?,
            argv: request.argv.iter().map(|word| text(word)).collect::<Result<_, _>>()?,
            env: request.env.iter().map(pair).collect::<Result<_, _>>()?,
        })
    }

    fn execute(self) -> Result<Infallible, Error> {
        execve(&self.path, &self.argv, &self.env).map_err(|error| Error::Exec {
            program: self.path.to_string_lossy().into_owned(),
            cause: Cause::from(error),
        })
    }
}
