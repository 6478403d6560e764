//! The cell: pid 1 of a sandbox. Set up ahead as far as no request is needed, then given one request, then gone.
//! A cell serves one request only, so nothing of a step can reach the next.

mod action;
mod caps;
mod copied;
mod dev;
mod etc;
mod init;
mod landlock;
mod limits;
mod mount;
mod proc;
mod root;
mod seccomp;
mod template;
mod user;

use std::os::fd::{AsFd, OwnedFd};

pub use seccomp::Program;
pub use template::{give, make as make_template};

use action::Leader;

use crate::error::Doing;
use crate::ground::Ground;
use crate::wire::{self, Order, Report};
use crate::{Error, Isolation, Network, Outcome, Request, sys};

/// Body, stdin, stdout, stderr.
const OWN_FDS: usize = 4;

/// How the processes of a step are kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum House {
    /// We are pid 1 of their namespace.
    PidNamespace,
    /// They are our descendants, and orphans come to us (`Isolation::None`).
    Subreaper,
}

/// A cell's whole life. Never returns to the spawner's code, of which this process is a copy.
pub fn live(spawner: OwnedFd, network: Network, ground: &Ground, filter: &Program) -> ! {
    let result = forget_the_rest(&spawner).and_then(|()| in_namespaces(&spawner, network, ground, filter));
    last_words(&spawner, result)
}

/// The same without any wall: only a process of its own, for `Isolation::None`.
pub fn live_bare(spawner: OwnedFd) -> ! {
    let result = forget_the_rest(&spawner).and_then(|()| without_namespaces(&spawner));
    last_words(&spawner, result)
}

/// A cell begins as a copy of the spawner and would hold on to other cells' sockets: they could not see them close.
fn forget_the_rest(spawner: &OwnedFd) -> Result<(), Error> {
    sys::close_all_but(spawner.as_fd()).doing("close what is the spawner's")
}

fn last_words(spawner: &OwnedFd, result: Result<Outcome, Error>) -> ! {
    // When this cannot be sent, the spawner is gone and there is nobody left to tell.
    let _ = wire::send(spawner.as_fd(), &Report(result), &[]);
    sys::exit(0)
}

fn in_namespaces(spawner: &OwnedFd, network: Network, ground: &Ground, filter: &Program) -> Result<Outcome, Error> {
    let prepared = prepare(spawner, network, ground, filter);
    let Baggage { request, own, sources } = receive_request(spawner)?;
    let leader = prepared.map_err(Error::into_lack)?;
    etc::complete(&request)?;
    mount::attach_all(&request, sources)?;
    root::link_merged_usr()?;
    root::seal()?;
    let leader = leader.go(own)?;
    init::keep(spawner, &request, leader, House::PidNamespace)
}

fn without_namespaces(spawner: &OwnedFd) -> Result<Outcome, Error> {
    user::die_with_the_parent()?;
    nix::sys::prctl::set_child_subreaper(true).doing("adopt orphans")?;
    let Baggage { request, own, .. } = receive_request(spawner)?;
    let leader = Leader::start(None)?.go(own)?;
    init::keep(spawner, &request, leader, House::Subreaper)
}

/// All that is the same for every request. The leader starts here too: it takes over the namespaces as they are.
fn prepare(spawner: &OwnedFd, network: Network, ground: &Ground, filter: &Program) -> Result<Leader, Error> {
    match wire::receive::<Order>(spawner.as_fd())? {
        Some((Order::Mapped, _)) => {}
        _ => return Err(Error::SpawnerGone),
    }
    user::enter()?;
    user::name_host()?;
    user::loopback_up()?;
    user::start_clocks_anew()?;
    user::forbid_namespaces()?;
    user::fix_addresses()?;
    let stage = root::stage()?;
    etc::make(&stage, network)?;
    dev::make(&stage, &ground.template)?;
    proc::make(&stage, &ground.template)?;
    root::pivot(stage)?;
    caps::drop_bounding()?;
    user::hide()?;
    Leader::start(Some(filter))
}

/// What comes with the order to run.
struct Baggage {
    request: Request,
    /// Body, stdin, stdout, stderr.
    own: Vec<OwnedFd>,
    sources: Vec<OwnedFd>,
}

fn receive_request(from: &OwnedFd) -> Result<Baggage, Error> {
    match wire::receive::<Order>(from.as_fd())? {
        Some((Order::Run, mut own)) if own.len() >= OWN_FDS => {
            let sources = own.split_off(OWN_FDS);
            Ok(Baggage { request: wire::read_body(&own[0])?, own, sources })
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
