//! The spawner's handle on a container: creating it, sending orders to its init, receiving the report. The code that
//! runs in the container is in `inside`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::error::Context;
use crate::host::HostContext;
use crate::inside::{self, SeccompProgram};
use crate::wire::{self, MAX_FDS, Order, Report};
use crate::{Error, Exit, Isolation, Network, Outcome, Request, Stdio, source, sys};

/// One container, before and during its single request. Dropping it ends it: init sees the socket close.
pub(crate) struct Container {
    pub(crate) init: Pid,
    socket: OwnedFd,
    cgroup: Option<Cgroup>,
    isolation: Isolation,
}

/// The properties of a request that must be known when its container is created.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContainerProfile {
    pub(crate) network: Network,
    pub(crate) memory_bytes: Option<u64>,
}

impl ContainerProfile {
    /// The profile of most requests, and so of the containers that are prepared in advance.
    pub(crate) const DEFAULT: ContainerProfile = ContainerProfile { network: Network::Loopback, memory_bytes: None };

    pub(crate) fn from_request(request: &Request) -> ContainerProfile {
        ContainerProfile { network: request.network, memory_bytes: request.limits.memory_bytes }
    }
}

/// The descriptors that a request arrives with.
pub(crate) struct RequestFds {
    pub(crate) body: OwnedFd,
    pub(crate) stdin: OwnedFd,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

impl Container {
    /// Starts a container. Its init sets it up concurrently with the spawner.
    pub(crate) fn start(
        host: &HostContext,
        profile: ContainerProfile,
        filter: &SeccompProgram,
    ) -> Result<Container, Error> {
        let mut flags = CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS;
        if profile.network != Network::Host {
            flags |= CloneFlags::CLONE_NEWNET;
        }
        let container = Container::clone_init(flags, |socket| inside::run_init(socket, profile.network, host, filter))?;
        container.complete(profile.memory_bytes, |container| {
            host.write_id_maps(container.init)?;
            wire::send(container.socket.as_fd(), &Order::Mapped, &[])
        })
    }

    /// Starts a supervisor without any namespace, for `Isolation::None`.
    pub(crate) fn start_unisolated(memory_bytes: Option<u64>) -> Result<Container, Error> {
        let container = Container::clone_init(CloneFlags::empty(), |socket| inside::run_unisolated_init(socket))?;
        container.complete(memory_bytes, |_| Ok(()))
    }

    /// Limits the memory of a container that has just been cloned, then prepares it. On failure, no process and no
    /// control group is left.
    fn complete(
        mut self,
        memory_bytes: Option<u64>,
        prepare: impl FnOnce(&Container) -> Result<(), Error>,
    ) -> Result<Container, Error> {
        let limited = memory_bytes.map(|bytes| Cgroup::with_memory_limit(self.init, bytes)).transpose();
        match limited.map(|cgroup| self.cgroup = cgroup).and_then(|()| prepare(&self)) {
            Ok(()) => Ok(self),
            Err(error) => {
                // ESRCH and ECHILD: it has already ended.
                let _ = kill(self.init, Signal::SIGKILL);
                let _ = waitpid(self.init, None);
                self.cgroup.as_ref().map(Cgroup::remove);
                Err(error)
            }
        }
    }

    fn clone_init(flags: CloneFlags, run: impl FnOnce(OwnedFd)) -> Result<Container, Error> {
        let (socket, theirs) = wire::socket_pair()?;
        match sys::clone(flags.bits()).context("create the namespaces of a step")? {
            sys::ForkResult::Child => {
                drop(socket);
                run(theirs);
                sys::exit(0)
            }
            sys::ForkResult::Parent(init) => Ok(Container { init, socket, cgroup: None, isolation: Isolation::None }),
        }
    }

    /// Hands the request over. The report arrives at [`Container::socket`]. `host` is `None` for an unisolated
    /// container.
    pub(crate) fn send_request(
        &mut self,
        request: &Request,
        fds: &RequestFds,
        host: Option<&HostContext>,
    ) -> Result<(), Error> {
        let mut sources = Vec::new();
        if let Some(host) = host {
            sources = source::open_sources(request, host)?;
            if request.stdio == Stdio::Captured {
                source::chown_output(host, &fds.stdout)?;
                source::chown_output(host, &fds.stderr)?;
            }
        }
        self.isolation = request.isolation;
        let own = [&fds.body, &fds.stdin, &fds.stdout, &fds.stderr];
        let all: Vec<BorrowedFd<'_>> = own.into_iter().chain(&sources).map(AsFd::as_fd).collect();
        if all.len() > MAX_FDS {
            return Err(Error::Request(format!(
                "{} mounts have a source, the maximum is {}",
                sources.len(),
                MAX_FDS - own.len()
            )));
        }
        wire::send(self.socket.as_fd(), &Order::Run, &all)
    }

    pub(crate) fn send_order(&self, order: &Order) {
        // Fails only if the container has already ended, which is what every order asks for.
        let _ = wire::send(self.socket.as_fd(), order, &[]);
    }

    /// Returns what must be removed after the container has ended.
    pub(crate) fn into_cgroup(self) -> Option<Cgroup> {
        self.cgroup
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Receives the final report of a container whose socket is readable, and the trace of an audited step.
    pub(crate) fn receive_report(&self) -> Result<(Outcome, Option<OwnedFd>), Error> {
        let exit_if_killed = || match self.cgroup.as_ref().is_some_and(Cgroup::out_of_memory) {
            true => Ok(Exit::OutOfMemory),
            false => Err(Error::SandboxGone),
        };
        let (mut outcome, trace) = match wire::receive::<Report>(self.socket.as_fd())? {
            Some((Report(result), fds)) => (result?, fds.into_iter().next()),
            None => (Outcome::unmeasured(exit_if_killed()?, self.isolation), None),
        };
        outcome.memory_limited = self.cgroup.as_ref().is_some_and(Cgroup::is_limited);
        if outcome.exit == Exit::Signal(libc::SIGKILL) {
            outcome.exit = exit_if_killed().unwrap_or(outcome.exit);
        }
        Ok((outcome, trace))
    }
}
