//! The keeper of a step's processes: watches time and the caller's wishes, and reports only when none is left.

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

use super::{House, in_force};
use crate::error::Doing;
use crate::wire::{self, Order};
use crate::{Error, Exit, Outcome, Request};

/// Keeps a leader that has just executed, to its end and that of everything it has started.
pub fn keep(spawner: &OwnedFd, request: &Request, leader: Pid, house: House) -> Result<Outcome, Error> {
    let began = Instant::now();
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None).doing("block SIGCHLD")?;
    let children =
        SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).doing("watch children")?;
    let deadline = request.limits.timeout.and_then(|limit| began.checked_add(limit));
    let mut watch = Watch { leader, grace: request.limits.grace, deadline, ending: None };
    let ended = watch.until_ended(spawner, &children);
    let wall = began.elapsed();
    end_everything(house);
    let status = ended?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).doing("read the usage")?;
    let cpu_us = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Outcome {
        exit: watch.ending.unwrap_or(status),
        isolation: in_force(request, house),
        wall,
        cpu: Duration::from_micros(u64::try_from(cpu_us).unwrap_or(0)),
        max_rss_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
        memory_limited: false,
    })
}

struct Watch {
    leader: Pid,
    grace: Duration,
    deadline: Option<Instant>,
    /// Why we are ending it, once we are.
    ending: Option<Exit>,
}

impl Watch {
    /// Until the leader has ended, by itself or because its time is over.
    fn until_ended(&mut self, spawner: &OwnedFd, children: &SignalFd) -> Result<Exit, Error> {
        loop {
            if let Some(exit) = self.reap()? {
                return Ok(exit);
            }
            let mut ready =
                [PollFd::new(children.as_fd(), PollFlags::POLLIN), PollFd::new(spawner.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, self.patience()) {
                Ok(0) if self.is_late() && !self.next_stage(Exit::TimedOut) => return Ok(Exit::Signal(libc::SIGKILL)),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error).doing("wait for the step"),
            }
            let asked = ready[1].any().unwrap_or(false);
            while let Ok(Some(_)) = children.read_signal() {}
            if asked && !self.obey(spawner)? {
                return Ok(Exit::Signal(libc::SIGKILL));
            }
        }
    }

    /// What the spawner wants. False when the end must be at once.
    fn obey(&mut self, spawner: &OwnedFd) -> Result<bool, Error> {
        Ok(match wire::receive::<Order>(spawner.as_fd())? {
            Some((Order::Interrupt, _)) => self.next_stage(Exit::Interrupted),
            Some((Order::Kill, _)) => {
                self.ending.get_or_insert(Exit::Interrupted);
                false
            }
            Some(_) => true,
            None => return Err(Error::SpawnerGone),
        })
    }

    /// First SIGINT and a grace period, so that fixtures clean up; false when that is used up.
    fn next_stage(&mut self, reason: Exit) -> bool {
        if self.ending.is_some() {
            return false;
        }
        self.ending = Some(reason);
        self.deadline = Instant::now().checked_add(self.grace);
        // ESRCH: it has just ended by itself, which the next reap sees.
        let _ = kill(self.leader, Signal::SIGINT);
        true
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Rounded up, so that we never wake just before the deadline and spin.
    fn patience(&self) -> PollTimeout {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(PollTimeout::NONE, |left| PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX))
    }

    /// Buries every dead child; the leader's status if it is among them.
    fn reap(&self) -> Result<Option<Exit>, Error> {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.leader => return Ok(Some(Exit::Code(code))),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.leader => {
                    return Ok(Some(Exit::Signal(signal as i32)));
                }
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(None),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error).doing("wait for the step"),
            }
        }
    }
}

/// Kills and buries until nobody is left. Every orphan becomes our child, so "no child" means nobody.
fn end_everything(house: House) {
    loop {
        // A target that has just died needs no signal.
        match house {
            // All of our pid namespace but ourselves: kill(2).
            House::PidNamespace => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            }
            House::Subreaper => {
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
