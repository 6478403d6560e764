//! The spawner's process: a single thread with one poll loop. It receives requests from the caller's socket, runs each
//! in a container of its own and sends back the result. When the caller's socket closes, it ends every container and
//! then itself.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::setsid;

use crate::cgroup::{self, Cgroup};
use crate::container::{Container, ContainerProfile, RequestFds};
use crate::error::Context;
use crate::host::HostContext;
use crate::inside::SeccompProgram;
use crate::kernel::unsupported_landlock;
use crate::wire::{self, CallerMessage, Order, SpawnerMessage};
use crate::{Error, Isolation, Kernel, Network, Request, Unsupported, sys};

/// The maximum number of containers prepared before their requests arrive.
const MAX_PREPARED: usize = 3;
/// How long to wait for messages before preparing a further container. Preparing one takes about as long, and running
/// steps have priority.
const PREPARE_DELAY_MS: u16 = 1;
/// The interval between attempts to reap ended containers.
const REAP_INTERVAL_MS: u16 = 100;

/// The first ABI of Landlock: landlock(7).
const LANDLOCK_ABI: u32 = 1;
/// The first ABI with scopes, which keep a step on the host's network away from the host's abstract sockets.
const LANDLOCK_ABI_SCOPES: u32 = 6;

/// Serves requests until the caller is gone. With `unisolated`, only those with `Isolation::None`.
pub(crate) fn serve(caller: OwnedFd, unisolated: bool) -> Result<(), Error> {
    // In a session of its own the spawner does not receive the terminal's Ctrl-C: the caller decides what to interrupt.
    setsid().context("start a session")?;
    sys::reset_signals();
    cgroup::remove_stale();
    let mut server = Server::new(caller, unisolated);
    if let Err(Error::Unsupported(unsupported)) = server.prepare_container() {
        server.host = Some(Err(unsupported));
    }
    server.reply(&SpawnerMessage::Ready(server.kernel()))?;
    while server.poll_once()? {}
    server.shut_down();
    Ok(())
}

struct Server {
    caller: OwnedFd,
    /// `None` if it serves unisolated requests only.
    host: Option<Result<HostContext, Unsupported>>,
    filter: SeccompProgram,
    landlock_abi: u32,
    prepared: Vec<Container>,
    /// The number of requests that the caller expects to send soon, according to its last message.
    upcoming: usize,
    /// By request id.
    running: BTreeMap<u64, Container>,
    /// The number of released containers whose init has not been waited for.
    unreaped: usize,
    /// The control groups of unreaped containers.
    cgroups: Vec<Cgroup>,
    /// The last attempt to prepare a container failed, and no step has ended since.
    prepare_failed: bool,
}

impl Server {
    fn new(caller: OwnedFd, unisolated: bool) -> Server {
        Server {
            caller,
            host: (!unisolated).then(HostContext::enter),
            filter: SeccompProgram::compile(),
            landlock_abi: sys::landlock_abi(),
            prepared: Vec::new(),
            upcoming: 0,
            running: BTreeMap::new(),
            unreaped: 0,
            cgroups: Vec::new(),
            prepare_failed: false,
        }
    }

    fn kernel(&self) -> Kernel {
        let (namespaces, dedicated) = match &self.host {
            None => (Ok(()), false),
            Some(Ok(host)) => (Ok(()), host.dedicated),
            Some(Err(unsupported)) => (Err(unsupported.clone()), false),
        };
        Kernel::detect(namespaces, dedicated)
    }

    /// Waits for events and handles them. Returns false if the caller is gone.
    fn poll_once(&mut self) -> Result<bool, Error> {
        let is_full = self.prepare_failed
            || self.prepared.len() >= MAX_PREPARED.min(self.upcoming)
            || !matches!(self.host, Some(Ok(_)));
        let timeout = match (is_full, self.prepared.len(), self.unreaped) {
            (false, 0, _) => PollTimeout::ZERO,
            (false, _, _) => PollTimeout::from(PREPARE_DELAY_MS),
            (true, _, 0) => PollTimeout::NONE,
            (true, _, _) => PollTimeout::from(REAP_INTERVAL_MS),
        };
        let mut ready = vec![PollFd::new(self.caller.as_fd(), PollFlags::POLLIN)];
        let containers = self.running.values().chain(&self.prepared);
        ready.extend(containers.map(|container| PollFd::new(container.socket(), PollFlags::POLLIN)));
        let count = match poll(&mut ready, timeout) {
            Err(Errno::EINTR) => return Ok(true),
            other => other.context("wait for requests")?,
        };
        let is_ready: Vec<bool> = ready.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let (running, prepared) = is_ready[1..].split_at(self.running.len());
        self.drop_ended_prepared(prepared);
        let ended: Vec<u64> =
            self.running.keys().zip(running).filter(|(_, ready)| **ready).map(|(id, _)| *id).collect();
        for id in ended {
            self.report_outcome(id)?;
        }
        self.reap();
        if count == 0 && !is_full {
            // Most likely there are too many sandboxes at the moment. A request that needs one then gets the error.
            self.prepare_failed = self.prepare_container().is_err();
        }
        Ok(!is_ready[0] || self.handle_message()?)
    }

    /// Ends all containers and removes their control groups, after the caller is gone.
    fn shut_down(mut self) {
        let containers = std::mem::take(&mut self.running).into_values().chain(std::mem::take(&mut self.prepared));
        for container in containers {
            // ESRCH: it has already ended.
            let _ = kill(container.init, Signal::SIGKILL);
            self.cgroups.extend(container.into_cgroup());
        }
        // ECHILD: no child is left.
        while waitpid(None, None) != Err(Errno::ECHILD) {}
        for cgroup in self.cgroups {
            cgroup.remove();
        }
    }

    /// A prepared container sends nothing before its request: if its socket is readable, it was killed.
    fn drop_ended_prepared(&mut self, is_ready: &[bool]) {
        let mut is_ready = is_ready.iter();
        let before = self.prepared.len();
        self.prepared.retain(|_| is_ready.next() != Some(&true));
        self.unreaped += before - self.prepared.len();
    }

    fn handle_message(&mut self) -> Result<bool, Error> {
        let Some((message, fds)) = wire::receive::<CallerMessage>(self.caller.as_fd())? else { return Ok(false) };
        match message {
            CallerMessage::Run { id, upcoming } => {
                self.upcoming = upcoming;
                if let Err(error) = self.start_request(id, fds) {
                    self.reply(&SpawnerMessage::Ended { id, result: Err(error) })?;
                }
            }
            CallerMessage::Interrupt { id } => self.send_order(id, &Order::Interrupt),
            CallerMessage::Kill { id } => self.send_order(id, &Order::Kill),
        }
        Ok(true)
    }

    fn send_order(&self, id: u64, order: &Order) {
        if let Some(container) = self.running.get(&id) {
            container.send_order(order);
        }
    }

    fn start_request(&mut self, id: u64, fds: Vec<OwnedFd>) -> Result<(), Error> {
        let [body, stdin, stdout, stderr] = <[OwnedFd; 4]>::try_from(fds)
            .map_err(|fds| Error::Request(format!("arrived with {} descriptors instead of 4", fds.len())))?;
        let fds = RequestFds { body, stdin, stdout, stderr };
        let request = wire::read_body(&fds.body)?;
        self.check_supported(&request)?;
        let mut container = self.take_container(&request)?;
        let host = self.host.as_ref().and_then(|host| host.as_ref().ok());
        let sent = container.send_request(&request, &fds, host);
        match sent {
            Ok(()) => drop(self.running.insert(id, container)),
            Err(_) => self.release(container),
        }
        sent
    }

    /// Refuses a request that this kernel cannot isolate at the requested level. No level is lowered silently.
    fn check_supported(&self, request: &Request) -> Result<(), Error> {
        let needed = if request.network == Network::Host { LANDLOCK_ABI_SCOPES } else { LANDLOCK_ABI };
        match (request.isolation, &self.host) {
            (Isolation::None, None) if request.audit => {
                Err(Error::Request("an audit needs namespaces, which isolation level `none` does not use".to_owned()))
            }
            (Isolation::None, None) if request.mounts.is_empty() => Ok(()),
            (Isolation::None, None) => {
                Err(Error::Request("mounts need namespaces, which isolation level `none` does not use".to_owned()))
            }
            (Isolation::None, Some(_)) | (_, None) => Err(Error::Request("sent to the wrong spawner".to_owned())),
            (_, Some(Err(unsupported))) => Err(Error::Unsupported(unsupported.clone())),
            (Isolation::Full, _) if self.landlock_abi < needed => {
                Err(Error::Unsupported(unsupported_landlock(self.landlock_abi, needed)))
            }
            _ => Ok(()),
        }
    }

    fn take_container(&mut self, request: &Request) -> Result<Container, Error> {
        let profile = ContainerProfile::from_request(request);
        match &self.host {
            Some(Ok(_)) if profile == ContainerProfile::DEFAULT && !self.prepared.is_empty() => {
                Ok(self.prepared.remove(0))
            }
            Some(Ok(host)) => start_container(host, profile, &self.filter),
            Some(Err(unsupported)) => Err(Error::Unsupported(unsupported.clone())),
            None => Container::start_unisolated(profile.memory_bytes),
        }
    }

    /// Starts one container before its request, unless this machine cannot isolate.
    fn prepare_container(&mut self) -> Result<(), Error> {
        if let Some(Ok(host)) = &self.host {
            self.prepared.push(start_container(host, ContainerProfile::DEFAULT, &self.filter)?);
        }
        Ok(())
    }

    fn report_outcome(&mut self, id: u64) -> Result<(), Error> {
        let Some(container) = self.running.remove(&id) else { return Ok(()) };
        let (result, trace) = match container.receive_report() {
            Ok((outcome, trace)) => (Ok(outcome), trace),
            Err(error) => (Err(error), None),
        };
        self.release(container);
        self.prepare_failed = false;
        let trace: Vec<BorrowedFd<'_>> = trace.iter().map(AsFd::as_fd).collect();
        wire::send(self.caller.as_fd(), &SpawnerMessage::Ended { id, result }, &trace)
    }

    /// Drops a container, which ends it if it is still running.
    fn release(&mut self, container: Container) {
        self.cgroups.extend(container.into_cgroup());
        self.unreaped += 1;
    }

    fn reap(&mut self) {
        while self.unreaped > 0 {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return,
                Ok(_) => self.unreaped -= 1,
                Err(_) => self.unreaped = 0,
            }
        }
        self.cgroups.retain(|cgroup| !cgroup.remove());
    }

    fn reply(&self, message: &SpawnerMessage) -> Result<(), Error> {
        wire::send(self.caller.as_fd(), message, &[])
    }
}

fn start_container(host: &HostContext, profile: ContainerProfile, filter: &SeccompProgram) -> Result<Container, Error> {
    Container::start(host, profile, filter).map_err(Error::into_unsupported)
}
