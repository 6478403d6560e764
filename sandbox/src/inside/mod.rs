//! The code that runs inside a container: its init, and the leader before exec. Init sets up everything that is the
//! same for all requests in advance, then receives one request, supervises it, reports and exits. A container serves a
//! single request, so nothing of a step can reach the next one.

mod audit;
mod caps;
mod copied;
mod dev;
mod etc;
mod identity;
mod landlock;
mod leader;
mod limits;
mod mount;
mod proc;
mod root;
mod seccomp;
mod supervise;
mod template;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::stat::{Mode, umask};

pub(crate) use seccomp::SeccompProgram;
pub(crate) use template::{chown_tree, mount as mount_template};

use leader::Leader;

use crate::error::Context;
use crate::host::HostContext;
use crate::wire::{self, Order, Report};
use crate::{Error, Isolation, Network, Outcome, Request, sys};

/// The number of descriptors of a request besides its mounts: body, stdin, stdout, stderr.
const OWN_FDS: usize = 4;

/// The mechanism that guarantees that no process of a step survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProcessScope {
    /// Init is pid 1 of their pid namespace.
    PidNamespace,
    /// Init is their ancestor, and orphans are reparented to it: PR_SET_CHILD_SUBREAPER (`Isolation::None`).
    Subreaper,
}

/// Init of a container. Runs in a new child of the spawner and never returns to the spawner's code.
pub(crate) fn run_init(spawner: OwnedFd, network: Network, host: &HostContext, filter: &SeccompProgram) -> ! {
    set_umask();
    let result = close_inherited_fds(&spawner).and_then(|()| run_in_namespaces(&spawner, network, host, filter));
    match result {
        Ok((outcome, trace)) => send_report(&spawner, Ok(outcome), trace),
        Err(error) => send_report(&spawner, Err(error), None),
    }
}

/// The same without any namespace, for `Isolation::None`: only a supervisor.
pub(crate) fn run_unisolated_init(spawner: OwnedFd) -> ! {
    set_umask();
    let result = close_inherited_fds(&spawner).and_then(|()| run_without_namespaces(&spawner));
    send_report(&spawner, result, None)
}

/// The modes of copied files, and of those that the step creates, must not depend on the user's umask.
fn set_umask() {
    umask(Mode::from_bits_truncate(0o022));
}

/// Init starts as a copy of the spawner. If it kept copies of the sockets to other containers open, those would not see
/// the spawner close them.
fn close_inherited_fds(spawner: &OwnedFd) -> Result<(), Error> {
    sys::close_all_except(spawner.as_fd()).context("close the spawner's descriptors")
}

fn send_report(spawner: &OwnedFd, result: Result<Outcome, Error>, trace: Option<OwnedFd>) -> ! {
    let trace: Vec<BorrowedFd<'_>> = trace.iter().map(AsFd::as_fd).collect();
    // Fails only if the spawner is gone: then nothing waits for the report.
    let _ = wire::send(spawner.as_fd(), &Report(result), &trace);
    sys::exit(0)
}

fn run_in_namespaces(
    spawner: &OwnedFd,
    network: Network,
    host: &HostContext,
    filter: &SeccompProgram,
) -> Result<(Outcome, Option<OwnedFd>), Error> {
    // An error is reported only after the request has arrived: a report before it would look like a killed container.
    let prepared = prepare(spawner, network, host, filter);
    let Payload { request, own, sources } = receive_payload(spawner)?;
    let leader = prepared.map_err(Error::into_unsupported)?;
    etc::write_passwd(&request)?;
    mount::attach_all(&request, sources)?;
    root::link_merged_usr()?;
    root::seal()?;
    let (leader, auditor) = leader.exec(own)?;
    let outcome = supervise::supervise(spawner, &request, leader, ProcessScope::PidNamespace)?;
    Ok((outcome, auditor.map(audit::Auditor::finish).transpose()?))
}

fn run_without_namespaces(spawner: &OwnedFd) -> Result<Outcome, Error> {
    identity::die_with_parent()?;
    nix::sys::prctl::set_child_subreaper(true).context("become the parent of orphans")?;
    let Payload { request, own, .. } = receive_payload(spawner)?;
    let (leader, _) = Leader::start(None)?.exec(own)?;
    supervise::supervise(spawner, &request, leader, ProcessScope::Subreaper)
}

/// Sets up everything that is the same for all requests. The leader is started last, because it inherits the namespaces
/// in their current state.
fn prepare(spawner: &OwnedFd, network: Network, host: &HostContext, filter: &SeccompProgram) -> Result<Leader, Error> {
    match wire::receive::<Order>(spawner.as_fd())? {
        Some((Order::Mapped, _)) => {}
        _ => return Err(Error::SpawnerGone),
    }
    identity::become_step_user()?;
    identity::set_host_name()?;
    identity::bring_loopback_up()?;
    identity::reset_clocks()?;
    identity::forbid_namespaces()?;
    identity::fix_addresses()?;
    let root = root::mount_new()?;
    etc::write(&root, network)?;
    dev::mount(&root, &host.template)?;
    proc::mount(&root, &host.template)?;
    root::pivot(root)?;
    caps::drop_bounding()?;
    identity::hide_from_step()?;
    Leader::start(Some(filter))
}

/// A request and the descriptors that arrive with it.
struct Payload {
    request: Request,
    /// Body, stdin, stdout, stderr.
    own: Vec<OwnedFd>,
    /// One detached mount for each mount of the request that has a source, in order. Empty in the leader.
    sources: Vec<OwnedFd>,
}

fn receive_payload(from: &OwnedFd) -> Result<Payload, Error> {
    match wire::receive::<Order>(from.as_fd())? {
        Some((Order::Run, mut own)) if own.len() >= OWN_FDS => {
            let sources = own.split_off(OWN_FDS);
            Ok(Payload { request: wire::read_body(&own[0])?, own, sources })
        }
        _ => Err(Error::SpawnerGone),
    }
}

/// The isolation level that was in force, for the outcome.
fn effective_isolation(request: &Request, scope: ProcessScope) -> Isolation {
    match scope {
        ProcessScope::Subreaper => Isolation::None,
        ProcessScope::PidNamespace => request.isolation,
    }
}
