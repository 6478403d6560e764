//! Supervision of a running step by init: deadline, cancellation, and the end of every process. Reports the outcome
//! only after no process of the step is left. The setup before exec is elsewhere.

#![expect(clippy::disallowed_methods, reason = "the deadline and the wall time of a step need a clock")]

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeValLike;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use super::{ProcessScope, effective_isolation};
use crate::error::Context;
use crate::wire::{self, Order};
use crate::{Error, Exit, Outcome, Request};

/// Supervises a leader that has just executed its program, until it and everything that it has started have ended.
pub(super) fn supervise(
    spawner: &OwnedFd,
    request: &Request,
    leader: Pid,
    scope: ProcessScope,
) -> Result<Outcome, Error> {
    let start = Instant::now();
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None).context("block SIGCHLD")?;
    let children = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .context("create a descriptor for SIGCHLD")?;
    let deadline = request.limits.timeout.and_then(|limit| start.checked_add(limit));
    let mut supervisor = Supervisor { leader, grace: request.limits.grace, deadline, cancelled: None };
    let ended = supervisor.wait_for_leader(spawner, &children);
    let wall = start.elapsed();
    kill_all(scope);
    let status = ended?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("read the resource usage")?;
    let cpu_us = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Outcome {
        exit: supervisor.cancelled.unwrap_or(status),
        isolation: effective_isolation(request, scope),
        wall,
        cpu: Duration::from_micros(u64::try_from(cpu_us).unwrap_or(0)),
        // The kernel reports KiB: getrusage(2).
        max_rss_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
        memory_limited: false,
        trace: None,
    })
}

struct Supervisor {
    leader: Pid,
    grace: Duration,
    /// The end of the timeout or, after cancellation, of the grace period.
    deadline: Option<Instant>,
    /// Why the step was cancelled.
    cancelled: Option<Exit>,
}

impl Supervisor {
    /// Returns when the leader has ended or must be killed.
    fn wait_for_leader(&mut self, spawner: &OwnedFd, children: &SignalFd) -> Result<Exit, Error> {
        loop {
            if let Some(exit) = self.reap()? {
                return Ok(exit);
            }
            let mut ready =
                [PollFd::new(children.as_fd(), PollFlags::POLLIN), PollFd::new(spawner.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, self.time_left()) {
                Ok(0) if self.is_past_deadline() && !self.cancel(Exit::TimedOut) => {
                    return Ok(Exit::Signal(libc::SIGKILL));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error).context("wait for the step"),
            }
            let has_order = ready[1].any().unwrap_or(false);
            while let Ok(Some(_)) = children.read_signal() {}
            if has_order && !self.handle_order(spawner)? {
                return Ok(Exit::Signal(libc::SIGKILL));
            }
        }
    }

    /// Returns false if the step must be killed now.
    fn handle_order(&mut self, spawner: &OwnedFd) -> Result<bool, Error> {
        Ok(match wire::receive::<Order>(spawner.as_fd())? {
            Some((Order::Interrupt, _)) => self.cancel(Exit::Interrupted),
            Some((Order::Kill, _)) => {
                self.cancelled.get_or_insert(Exit::Interrupted);
                false
            }
            Some(_) => true,
            None => return Err(Error::SpawnerGone),
        })
    }

    /// Sends SIGINT and starts the grace period, in which test fixtures can clean up. Returns false if the step was
    /// already cancelled and so must be killed now.
    fn cancel(&mut self, reason: Exit) -> bool {
        if self.cancelled.is_some() {
            return false;
        }
        self.cancelled = Some(reason);
        self.deadline = Instant::now().checked_add(self.grace);
        // ESRCH: the leader has just ended, which the next `reap` returns.
        let _ = kill(self.leader, Signal::SIGINT);
        true
    }

    fn is_past_deadline(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Rounded up to the next millisecond, because waking up just before the deadline would poll in a busy loop.
    fn time_left(&self) -> PollTimeout {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(PollTimeout::NONE, |left| PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX))
    }

    /// Reaps every ended child. Returns the leader's status if it is among them.
    fn reap(&self) -> Result<Option<Exit>, Error> {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.leader => return Ok(Some(Exit::Code(code))),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.leader => {
                    return Ok(Some(Exit::Signal(signal as i32)));
                }
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(None),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error).context("wait for the step"),
            }
        }
    }
}

/// Kills and reaps until no process is left. Every orphan is reparented to init, so ECHILD means that none is.
fn kill_all(scope: ProcessScope) {
    loop {
        // ESRCH: the process has just ended.
        match scope {
            // Pid -1 is every process of the pid namespace except the caller: kill(2).
            ProcessScope::PidNamespace => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            }
            ProcessScope::Subreaper => {
                for child in children() {
                    let _ = kill(child, Signal::SIGKILL);
                }
            }
        }
        if let Err(Errno::ECHILD) = waitpid(None, None) {
            return;
        }
    }
}

fn children() -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/self/task/{}/children", getpid())).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).map(Pid::from_raw).collect()
}
