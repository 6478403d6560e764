//! Who and where a step is: user, host name, clocks, loopback. Everything that is not a file.

use std::fs;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::personality::{self, Persona};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Gid, Uid, setgroups, sethostname, setresgid, setresuid};

use crate::error::Doing;
use crate::ground::INSIDE;
use crate::{Error, sys};

pub const NAME: &str = "waders";

/// Becomes the step's user, still with every capability over the cell's own namespaces.
pub fn enter() -> Result<(), Error> {
    match setgroups(&[]) {
        // An ordinary user may not drop groups; they show inside as `nogroup`.
        Ok(()) | Err(Errno::EPERM) => {}
        Err(error) => return Err(error).doing("drop the groups"),
    }
    let (uid, gid) = (Uid::from_raw(INSIDE), Gid::from_raw(INSIDE));
    setresgid(gid, gid, gid).doing("become the step's group")?;
    setresuid(uid, uid, uid).doing("become the step's user")?;
    // The change gave our files in `/proc` to root, and we still have to write some; [`hide`] ends that.
    prctl::set_dumpable(true).doing("keep our own files in `/proc`")?;
    // After the change of user, which would have reset it (PR_SET_PDEATHSIG(2const)).
    die_with_the_parent()?;
    unshare(CloneFlags::CLONE_NEWCGROUP).doing("make a control group namespace")
}

/// Spawner and cell have one thread and live as long as their children, so "parent thread died" means just that.
pub fn die_with_the_parent() -> Result<(), Error> {
    prctl::set_pdeathsig(Signal::SIGKILL).doing("ask to die with the parent")
}

pub fn name_host() -> Result<(), Error> {
    sethostname(NAME).doing("set the host name")?;
    sys::set_domain_name("(none)").doing("set the domain name")
}

/// In the host's network namespace, which we have no capability over, the interface is up already.
pub fn loopback_up() -> Result<(), Error> {
    let socket =
        socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).doing("make a socket")?;
    match sys::loopback_up(socket.as_fd()) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(()),
        other => other.doing("bring the loopback interface up"),
    }
}

/// Children see monotonic and boot clocks that start near zero now.
pub fn start_clocks_anew() -> Result<(), Error> {
    unshare(CloneFlags::from_bits_retain(libc::CLONE_NEWTIME)).doing("make a time namespace")?;
    let seconds = |clock| clock_gettime(clock).map(|time| -time.tv_sec()).doing("read a clock");
    let (monotonic, boot) = (seconds(ClockId::CLOCK_MONOTONIC)?, seconds(ClockId::CLOCK_BOOTTIME)?);
    write("/proc/self/timens_offsets", &format!("monotonic {monotonic} 0\nboottime {boot} 0\n"))
}

/// Where a program's memory lies decides more than it should: Python hashes many objects by it, so that the order of a
/// set, and what a tool says first, would differ from run to run. See personality(2); it takes hold with the next exec.
pub fn fix_addresses() -> Result<(), Error> {
    let persona = personality::get().doing("read the personality")?;
    match personality::set(persona | Persona::ADDR_NO_RANDOMIZE) {
        // Some containers' filters forbid it; then addresses are random, as everywhere.
        Ok(_) | Err(Errno::EPERM) => Ok(()),
        Err(error) => Err(error).doing("fix the layout of memory"),
    }
}

/// Binds even what would find a way around the seccomp filter.
pub fn forbid_namespaces() -> Result<(), Error> {
    write("/proc/sys/user/max_user_namespaces", "0")
}

/// Our memory is a copy of the spawner's and we hold capabilities: no step may look at `/proc/1`.
pub fn hide() -> Result<(), Error> {
    prctl::set_dumpable(false).doing("hide from the step")
}

fn write(path: &str, text: &str) -> Result<(), Error> {
    fs::write(path, text).doing_with(|| format!("write `{path}`"))
}
