//! The leader, the first process of a step, from its start to exec. It drops every privilege that it can before it
//! receives its request. The remaining restrictions follow in an order in which each call is still permitted.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, setsid};

use super::audit::Auditor;
use super::{Payload, ProcessScope, SeccompProgram, caps, identity, landlock, limits, receive_payload};
use crate::error::{Cause, Context};
use crate::wire::{self, LeaderMessage, Order};
use crate::{Error, Isolation, Request, Stdio, Unsupported, sys};

/// Init's handle on a leader that waits for its request.
pub(super) struct Leader {
    pid: Pid,
    socket: OwnedFd,
}

impl Leader {
    /// With a filter the leader drops its privileges and installs the filter; without, it is an ordinary process.
    pub(super) fn start(filter: Option<&SeccompProgram>) -> Result<Leader, Error> {
        let (socket, theirs) = wire::socket_pair()?;
        match sys::clone(0).context("start a process")? {
            sys::ForkResult::Parent(pid) => Ok(Leader { pid, socket }),
            sys::ForkResult::Child => {
                drop(socket);
                let Err(error) = run_leader(&theirs, filter);
                // Fails only if init is gone: then nothing waits for the error.
                let _ = wire::send(theirs.as_fd(), &LeaderMessage::Failed(error), &[]);
                sys::exit(127)
            }
        }
    }

    /// Passes body, stdin, stdout and stderr, and waits until the leader has executed its program. Returns its pid and, if
    /// the request asks for one, the running audit.
    pub(super) fn exec(self, own: Vec<OwnedFd>) -> Result<(Pid, Option<Auditor>), Error> {
        let fds: Vec<BorrowedFd<'_>> = own.iter().map(AsFd::as_fd).collect();
        wire::send(self.socket.as_fd(), &Order::Run, &fds)?;
        let mut auditor = None;
        loop {
            match wire::receive::<LeaderMessage>(self.socket.as_fd())? {
                Some((LeaderMessage::Audit { listener }, _)) => {
                    let listener = sys::duplicate_from(self.pid, listener).context("take over the listener")?;
                    auditor = Some(Auditor::start(listener)?);
                }
                Some((LeaderMessage::Failed(error), _)) => return Err(error),
                // A successful exec closed the other end.
                None => return Ok((self.pid, auditor)),
            }
        }
    }
}

/// Returns only if the program cannot be executed, with the reason.
fn run_leader(parent: &OwnedFd, filter: Option<&SeccompProgram>) -> Result<Infallible, Error> {
    identity::die_with_parent()?;
    setsid().context("start a session")?;
    sys::reset_signals();
    if let Some(filter) = filter {
        caps::drop_all()?;
        filter.install()?;
    }
    let Payload { request, own, .. } = receive_payload(parent)?;
    let program = Executable::from_request(&request)?;
    if request.stdio == Stdio::Terminal {
        sys::set_controlling_terminal(own[1].as_fd()).context("make the terminal the controlling one")?;
    }
    redirect_stdio(&own)?;
    let scope = if filter.is_some() { ProcessScope::PidNamespace } else { ProcessScope::Subreaper };
    limits::apply(&request.limits, scope)?;
    if request.isolation == Isolation::Full {
        landlock::restrict(&request)?;
    }
    if request.audit {
        start_audit(parent)?;
    }
    chdir(&request.cwd).with_context(|| format!("enter `{}`", request.cwd.display()))?;
    program.exec()
}

/// From here on, every reported call waits for init's thread. sendmsg(2), which could carry the listener, is one of them, so
/// init takes it from here. Exec closes it, so the step has no access to it.
fn start_audit(parent: &OwnedFd) -> Result<(), Error> {
    identity::show_to_init()?;
    let listener = SeccompProgram::notifications().install_with_listener().map_err(into_unsupported)?;
    wire::send_without_sendmsg(parent.as_fd(), &LeaderMessage::Audit { listener: listener.as_raw_fd() })?;
    // Stays open until exec: init has not taken it yet.
    let _ = listener.into_raw_fd();
    Ok(())
}

fn into_unsupported(error: Error) -> Error {
    let Error::System { cause, .. } = &error else { return error };
    Error::Unsupported(Unsupported {
        feature: "audit of steps".to_owned(),
        reason: format!("the kernel refuses a seccomp filter with a listener: {cause}"),
        remedy:
            "boot Linux 5.6 or later; a process under another such filter, as some containers have, cannot install one"
                .to_owned(),
    })
}

fn redirect_stdio(own: &[OwnedFd]) -> Result<(), Error> {
    dup2_stdin(&own[1]).context("redirect stdin")?;
    dup2_stdout(&own[2]).context("redirect stdout")?;
    dup2_stderr(&own[3]).context("redirect stderr")?;
    // Exec closes all others, among them the socket, which informs init that exec succeeded.
    sys::set_close_on_exec_from(3).context("set the close-on-exec flags")
}

/// Argument and environment strings as execve(2) takes them.
struct Executable {
    path: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Executable {
    fn from_request(request: &Request) -> Result<Executable, Error> {
        let text = |text: &str| {
            CString::new(text).map_err(|_| Error::Request(format!("`{}` contains a null byte", text.escape_debug())))
        };
        let path = request.argv.first().ok_or_else(|| Error::Request("argv is empty".to_owned()))?;
        let pair = |(name, value): (&String, &String)| match name.is_empty() || name.contains('=') {
            true => Err(Error::Request(format!("invalid variable name `{}`", name.escape_debug()))),
            false => text(&format!("{name}={value}")),
        };
        Ok(Executable {
            path: text(path)?,
            argv: request.argv.iter().map(|arg| text(arg)).collect::<Result<_, _>>()?,
            env: request.env.iter().map(pair).collect::<Result<_, _>>()?,
        })
    }

    fn exec(self) -> Result<Infallible, Error> {
        execve(&self.path, &self.argv, &self.env).map_err(|error| Error::Exec {
            program: self.path.to_string_lossy().into_owned(),
            cause: Cause::from(error),
        })
    }
}
