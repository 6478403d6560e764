//! The spawner's process: one thread, one loop. Takes requests from the caller's socket, gives each to a cell of its
//! own, sends back what became of it. Ends, and with it every cell, when the caller's socket closes.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::setsid;

use crate::cell::{Baggage, Cell, Walls};
use crate::cgroup::{self, Group};
use crate::error::Doing;
use crate::ground::{self, Ground};
use crate::inside::Program;
use crate::kernel::lacks_landlock;
use crate::wire::{self, Answer, Ask, Order};
use crate::{Error, Isolation, Kernel, Network, Request, sys};

/// Cells set up ahead of their requests, at most.
const PREPARED: usize = 3;
/// How long to leave a pool that is not full alone: making a cell takes about this long, and who waits comes first.
const REST_MS: u16 = 1;
/// While dead cells are not buried yet, how often to look.
const BURIAL_MS: u16 = 100;

/// The first ABI of Landlock, and the first whose scopes keep a step on the host's network off its abstract sockets.
const LANDLOCK: u32 = 1;
const LANDLOCK_SCOPES: u32 = 6;

/// Serves until the caller is gone. With `bare`, only `Isolation::None`.
pub fn serve(caller: OwnedFd, bare: bool) -> Result<(), Error> {
    // Ctrl-C at the terminal is the caller's to pass on.
    setsid().doing("start a session")?;
    sys::default_signals();
    cgroup::sweep();
    let mut spawner = Spawner::new(caller, bare);
    if let Err(Error::Lacking(lack)) = spawner.prepare_one() {
        spawner.ground = Some(Err(lack));
    }
    spawner.answer(&Answer::Ready(spawner.kernel()))?;
    while spawner.turn()? {}
    spawner.end();
    Ok(())
}

struct Spawner {
    caller: OwnedFd,
    /// `None` when it serves bare requests only.
    ground: Option<Result<Ground, crate::Lack>>,
    filter: Program,
    landlock_abi: u32,
    prepared: Vec<Cell>,
    /// How many requests will follow soon, as the caller said with the last one.
    expected: usize,
    running: BTreeMap<u64, Cell>,
    unburied: usize,
    /// Of cells that are unburied.
    groups: Vec<Group>,
    /// The last try to prepare a cell failed, and none has ended since.
    exhausted: bool,
}

impl Spawner {
    fn new(caller: OwnedFd, bare: bool) -> Spawner {
        Spawner {
            caller,
            ground: (!bare).then(ground::enter),
            filter: Program::compile(),
            landlock_abi: sys::landlock_abi(),
            prepared: Vec::new(),
            expected: 0,
            running: BTreeMap::new(),
            unburied: 0,
            groups: Vec::new(),
            exhausted: false,
        }
    }

    fn kernel(&self) -> Kernel {
        let (namespaces, dedicated) = match &self.ground {
            None => (Ok(()), false),
            Some(Ok(ground)) => (Ok(()), ground.dedicated),
            Some(Err(lack)) => (Err(lack.clone()), false),
        };
        Kernel::look(namespaces, dedicated)
    }

    /// Waits for one thing to happen and does it. False when the caller is gone.
    fn turn(&mut self) -> Result<bool, Error> {
        let full =
            self.exhausted || self.prepared.len() >= PREPARED.min(self.expected) || !matches!(self.ground, Some(Ok(_)));
        let patience = match (full, self.prepared.len(), self.unburied) {
            (false, 0, _) => PollTimeout::ZERO,
            (false, _, _) => PollTimeout::from(REST_MS),
            (true, _, 0) => PollTimeout::NONE,
            (true, _, _) => PollTimeout::from(BURIAL_MS),
        };
        let mut ready = vec![PollFd::new(self.caller.as_fd(), PollFlags::POLLIN)];
        let cells = self.running.values().chain(&self.prepared);
        ready.extend(cells.map(|cell| PollFd::new(cell.socket(), PollFlags::POLLIN)));
        let count = match poll(&mut ready, patience) {
            Err(Errno::EINTR) => return Ok(true),
            other => other.doing("wait for requests")?,
        };
        let is_ready: Vec<bool> = ready.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let (running, prepared) = is_ready[1..].split_at(self.running.len());
        self.drop_dead(prepared);
        let done: Vec<u64> = self.running.keys().zip(running).filter(|(_, ready)| **ready).map(|(id, _)| *id).collect();
        for id in done {
            self.finish(id)?;
        }
        self.bury();
        if count == 0 && !full {
            // Too many sandboxes at the moment, most likely: one that is wanted and cannot be had is told so.
            self.exhausted = self.prepare_one().is_err();
        }
        Ok(!is_ready[0] || self.obey()?)
    }

    /// The caller is gone: so are all cells, and what we made for them.
    fn end(mut self) {
        let cells = std::mem::take(&mut self.running).into_values().chain(std::mem::take(&mut self.prepared));
        for cell in cells {
            // It may be gone already.
            let _ = kill(cell.pid, Signal::SIGKILL);
            self.groups.extend(cell.into_group());
        }
        // ECHILD: nobody is left.
        while waitpid(None, None) != Err(Errno::ECHILD) {}
        for group in self.groups {
            group.remove();
        }
    }

    /// A prepared cell has nothing to say yet: one that is readable was killed.
    fn drop_dead(&mut self, is_ready: &[bool]) {
        let mut is_ready = is_ready.iter();
        let before = self.prepared.len();
        self.prepared.retain(|_| is_ready.next() != Some(&true));
        self.unburied += before - self.prepared.len();
    }

    fn obey(&mut self) -> Result<bool, Error> {
        let Some((ask, fds)) = wire::receive::<Ask>(self.caller.as_fd())? else { return Ok(false) };
        match ask {
            Ask::Run { id, others } => {
                self.expected = others;
                if let Err(error) = self.run(id, fds) {
                    self.answer(&Answer::Ended { id, result: Err(error) })?;
                }
            }
            Ask::Interrupt { id } => self.order(id, &Order::Interrupt),
            Ask::Kill { id } => self.order(id, &Order::Kill),
        }
        Ok(true)
    }

    fn order(&self, id: u64, order: &Order) {
        if let Some(cell) = self.running.get(&id) {
            cell.order(order);
        }
    }

    fn run(&mut self, id: u64, fds: Vec<OwnedFd>) -> Result<(), Error> {
        let [body, stdin, stdout, stderr] =
            <[OwnedFd; 4]>::try_from(fds).map_err(|_| Error::Request("came without its descriptors".to_owned()))?;
        let baggage = Baggage { body, stdin, stdout, stderr };
        let request = wire::read_body(&baggage.body)?;
        self.check(&request)?;
        let mut cell = self.cell(&request)?;
        let ground = self.ground.as_ref().and_then(|ground| ground.as_ref().ok());
        let given = cell.give(&request, &baggage, ground);
        match given {
            Ok(()) => drop(self.running.insert(id, cell)),
            Err(_) => self.leave(cell),
        }
        given
    }

    /// Refuses what this kernel cannot isolate as asked. Nothing is weakened silently.
    fn check(&self, request: &Request) -> Result<(), Error> {
        let needed = if request.network == Network::Host { LANDLOCK_SCOPES } else { LANDLOCK };
        match (request.isolation, &self.ground) {
            (Isolation::None, None) if request.mounts.is_empty() => Ok(()),
            (Isolation::None, None) => {
                Err(Error::Request("mounts need namespaces, which isolation `none` has not".to_owned()))
            }
            (Isolation::None, Some(_)) | (_, None) => Err(Error::Request("sent to the wrong spawner".to_owned())),
            (_, Some(Err(lack))) => Err(Error::Lacking(lack.clone())),
            (Isolation::Full, _) if self.landlock_abi < needed => {
                Err(Error::Lacking(lacks_landlock(self.landlock_abi, needed)))
            }
            _ => Ok(()),
        }
    }

    fn cell(&mut self, request: &Request) -> Result<Cell, Error> {
        let walls = Walls::of(request);
        match &self.ground {
            Some(Ok(_)) if walls == Walls::USUAL && !self.prepared.is_empty() => Ok(self.prepared.remove(0)),
            Some(Ok(ground)) => open(ground, walls, &self.filter),
            Some(Err(lack)) => Err(Error::Lacking(lack.clone())),
            None => Cell::open_bare(),
        }
    }

    /// One cell ahead, where this is possible.
    fn prepare_one(&mut self) -> Result<(), Error> {
        if let Some(Ok(ground)) = &self.ground {
            self.prepared.push(open(ground, Walls::USUAL, &self.filter)?);
        }
        Ok(())
    }

    fn finish(&mut self, id: u64) -> Result<(), Error> {
        let Some(cell) = self.running.remove(&id) else { return Ok(()) };
        let result = cell.report();
        self.leave(cell);
        self.exhausted = false;
        self.answer(&Answer::Ended { id, result })
    }

    /// Lets go of a cell, which then ends if it has not.
    fn leave(&mut self, cell: Cell) {
        self.groups.extend(cell.into_group());
        self.unburied += 1;
    }

    fn bury(&mut self) {
        while self.unburied > 0 {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return,
                Ok(_) => self.unburied -= 1,
                Err(_) => self.unburied = 0,
            }
        }
        self.groups.retain(|group| !group.remove());
    }

    fn answer(&self, answer: &Answer) -> Result<(), Error> {
        wire::send(self.caller.as_fd(), answer, &[])
    }
}

fn open(ground: &Ground, walls: Walls, filter: &Program) -> Result<Cell, Error> {
    Cell::open(ground, walls, filter).map_err(Error::into_lack)
}
