//! The cell: pid 1 of a sandbox. Set up ahead as far as no request is needed, then given one request, then gone.
//! A cell serves one request only, so nothing of a step can reach the next.

mod action;
mod caps;
mod copy_on_write;
mod dev;
mod etc;
mod init;
mod landlock;
mod limits;
mod mount;
mod proc;
mod root;
mod seccomp;
mod user;

use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, unshare};

pub use action::Files;
pub use seccomp::Program;

use crate::error::Doing;
use crate::wire::{self, Order, Report};
use crate::{Error, Isolation, Outcome, Request, sys};

/// How the processes of a step are kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum House {
    /// We are pid 1 of their namespace.
    PidNamespace,
    /// They are our descendants, and orphans come to us (`Isolation::None`).
    Subreaper,
}

/// A cell's whole life. Never returns to the spawner's code, of which this process is a copy.
pub fn live(spawner: OwnedFd, filter: &Program) -> ! {
    let result = in_namespaces(&spawner, filter);
    last_words(&spawner, result)
}

/// The same without any wall: only a process of its own, for `Isolation::None`.
pub fn live_bare(spawner: OwnedFd) -> ! {
    let result = without_namespaces(&spawner);
    last_words(&spawner, result)
}

fn last_words(spawner: &OwnedFd, result: Result<Outcome, Error>) -> ! {
    // When this cannot be sent, the spawner is gone and there is nobody left to tell.
    let _ = wire::send(spawner.as_fd(), &Report(result), &[]);
    sys::exit(0)
}

fn in_namespaces(spawner: &OwnedFd, filter: &Program) -> Result<Outcome, Error> {
    let prepared = prepare(spawner);
    let (request, files, sources) = receive_request(spawner)?;
    let stage = prepared?;
    // Here rather than at the start: by now we are in the group that limits the memory, and that is to look like `/`.
    unshare(CloneFlags::CLONE_NEWCGROUP).doing("make a control group namespace")?;
    etc::complete(&stage, &request)?;
    mount::attach_all(&stage, &request, sources)?;
    root::link_merged_usr(&stage)?;
    root::pivot(stage)?;
    init::run(spawner, &request, files, Some(filter), House::PidNamespace)
}

fn without_namespaces(spawner: &OwnedFd) -> Result<Outcome, Error> {
    user::die_with_the_spawner()?;
    nix::sys::prctl::set_child_subreaper(true).doing("adopt orphans")?;
    let (request, files, _) = receive_request(spawner)?;
    init::run(spawner, &request, files, None, House::Subreaper)
}

/// All that is the same for every request.
fn prepare(spawner: &OwnedFd) -> Result<root::Stage, Error> {
    match wire::receive::<Order>(spawner.as_fd())? {
        Some((Order::Mapped, _)) => {}
        _ => return Err(Error::SpawnerGone),
    }
    user::enter()?;
    user::name_host()?;
    user::loopback_up()?;
    user::start_clocks_anew()?;
    user::forbid_namespaces()?;
    let stage = root::stage()?;
    etc::make(&stage)?;
    dev::make(&stage)?;
    proc::make(&stage)?;
    caps::drop_bounding()?;
    user::hide()?;
    Ok(stage)
}

fn receive_request(spawner: &OwnedFd) -> Result<(Request, Files, Vec<OwnedFd>), Error> {
    match wire::receive::<Order>(spawner.as_fd())? {
        Some((Order::Run, mut fds)) if fds.len() >= 4 => {
            let sources = fds.split_off(4);
            let request = wire::read_body(&fds[0])?;
            let mut fds = fds.into_iter().skip(1);
            let mut next = || fds.next().expect("there are four: checked in the pattern");
            Ok((request, Files { stdin: next(), stdout: next(), stderr: next() }, sources))
        }
        _ => Err(Error::SpawnerGone),
    }
}

/// What was really in force, for the outcome.
fn in_force(request: &Request, house: House) -> Isolation {
    match house {
        House::Subreaper => Isolation::None,
        House::PidNamespace => request.isolation,
    }
}
