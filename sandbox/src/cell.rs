//! The spawner's handle on a cell: its birth in new namespaces, its orders, its report. What happens inside is `inside`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;
use nix::unistd::Pid;

use crate::cgroup::Group;
use crate::error::Doing;
use crate::ground::{self, Ground};
use crate::inside::{self, Program};
use crate::wire::{self, MOST_FDS, Order, Report};
use crate::{Error, Exit, Isolation, Network, Outcome, Request, Stdio, source, sys};

/// One sandbox, before and during its one request. Dropping it makes it die: it sees its socket close.
pub struct Cell {
    pub pid: Pid,
    socket: OwnedFd,
    group: Option<Group>,
    isolation: Isolation,
}

/// What a cell must know of its request when it is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Walls {
    pub network: Network,
    pub memory_bytes: Option<u64>,
}

impl Walls {
    /// Of most requests, and so of the cells that are prepared.
    pub const USUAL: Walls = Walls { network: Network::Loopback, memory_bytes: None };

    pub fn of(request: &Request) -> Walls {
        Walls { network: request.network, memory_bytes: request.limits.memory_bytes }
    }
}

/// What a request brings besides itself.
pub struct Baggage {
    pub body: OwnedFd,
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

impl Cell {
    /// A cell that sets itself up while we go on.
    pub fn open(ground: &Ground, walls: Walls, filter: &Program) -> Result<Cell, Error> {
        let mut flags = CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS;
        if walls.network != Network::Host {
            flags |= CloneFlags::CLONE_NEWNET;
        }
        let mut cell = Cell::fork(flags, |socket| inside::live(socket, walls.network, ground, filter))?;
        // Without delegation the outcome says that no such limit was in force.
        cell.group = walls.memory_bytes.and_then(|bytes| Group::limit(cell.pid, bytes).ok());
        ground::map_cell(ground, cell.pid)?;
        wire::send(cell.socket.as_fd(), &Order::Mapped, &[])?;
        Ok(cell)
    }

    /// A process without walls.
    pub fn open_bare() -> Result<Cell, Error> {
        Cell::fork(CloneFlags::empty(), |socket| inside::live_bare(socket))
    }

    fn fork(flags: CloneFlags, live: impl FnOnce(OwnedFd)) -> Result<Cell, Error> {
        let (socket, theirs) = wire::pair()?;
        match sys::clone(flags.bits()).doing("make the namespaces of a step")? {
            sys::Side::Child => {
                drop(socket);
                live(theirs);
                sys::exit(0)
            }
            sys::Side::Parent(pid) => Ok(Cell { pid, socket, group: None, isolation: Isolation::None }),
        }
    }

    /// Hands the request over. Its report comes over [`Cell::socket`].
    pub fn give(&mut self, request: &Request, baggage: &Baggage, ground: Option<&Ground>) -> Result<(), Error> {
        let mut sources = Vec::new();
        if let Some(ground) = ground {
            sources = source::open_all(request, ground)?;
            if request.stdio == Stdio::Captured {
                source::give_output(ground, &baggage.stdout)?;
                source::give_output(ground, &baggage.stderr)?;
            }
        }
        self.isolation = request.isolation;
        let own = [&baggage.body, &baggage.stdin, &baggage.stdout, &baggage.stderr];
        let fds: Vec<BorrowedFd<'_>> = own.into_iter().chain(&sources).map(AsFd::as_fd).collect();
        if fds.len() > MOST_FDS {
            return Err(Error::Request(format!(
                "{} mounts; at most {} have a source",
                sources.len(),
                MOST_FDS - own.len()
            )));
        }
        wire::send(self.socket.as_fd(), &Order::Run, &fds)
    }

    pub fn order(&self, order: &Order) {
        // A cell that is gone already needs no order.
        let _ = wire::send(self.socket.as_fd(), order, &[]);
    }

    /// What must be removed when the cell is gone.
    pub fn into_group(self) -> Option<Group> {
        self.group
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The last words of a cell whose socket is readable.
    pub fn report(&self) -> Result<Outcome, Error> {
        let died = || match self.group.as_ref().is_some_and(Group::out_of_memory) {
            true => Ok(Exit::OutOfMemory),
            false => Err(Error::SandboxGone),
        };
        let mut outcome = match wire::receive::<Report>(self.socket.as_fd())? {
            Some((Report(result), _)) => result?,
            None => Outcome::unmeasured(died()?, self.isolation),
        };
        outcome.memory_limited = self.group.is_some();
        if outcome.exit == Exit::Signal(libc::SIGKILL) {
            outcome.exit = died().unwrap_or(outcome.exit);
        }
        Ok(outcome)
    }
}
