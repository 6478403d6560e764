//! The identity of a step: user, host name, clocks, loopback interface and address layout. Everything that a step can
//! see apart from files, which are in `root` and the modules that it mounts.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::personality::{self, Persona};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Gid, Uid, setgroups, sethostname, setresgid, setresuid};

use crate::error::Context;
use crate::host::INSIDE_ID;
use crate::{Error, sys};

/// User name, group name and host name of every step.
pub(super) const NAME: &str = "waders";

/// Changes to the step's user. Init keeps every capability over the namespaces of its container.
pub(super) fn become_step_user() -> Result<(), Error> {
    match setgroups(&[]) {
        // An ordinary user may not drop supplementary groups; they appear inside as `nogroup`.
        Ok(()) | Err(Errno::EPERM) => {}
        Err(error) => return Err(error).context("drop the supplementary groups"),
    }
    let (uid, gid) = (Uid::from_raw(INSIDE_ID), Gid::from_raw(INSIDE_ID));
    setresgid(gid, gid, gid).context("change to the step's group")?;
    setresuid(uid, uid, uid).context("change to the step's user")?;
    // The change of user made root the owner of `/proc/self`, in which init must still write. Reverted by
    // [`hide_from_step`].
    prctl::set_dumpable(true).context("keep access to `/proc/self`")?;
    // After the change of user, which resets this setting: PR_SET_PDEATHSIG(2const).
    die_with_parent()?;
    unshare(CloneFlags::CLONE_NEWCGROUP).context("create a control group namespace")
}

/// Requests SIGKILL when the parent thread ends. Spawner and init have one thread each, so that is the parent's end.
pub(super) fn die_with_parent() -> Result<(), Error> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("request to be killed with the parent")
}

pub(super) fn set_host_name() -> Result<(), Error> {
    sethostname(NAME).context("set the host name")?;
    sys::set_domain_name("(none)").context("set the domain name")
}

/// In the host's network namespace the call is not permitted, but there the interface is already up.
pub(super) fn bring_loopback_up() -> Result<(), Error> {
    let of_family = |family| socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
    let v4 = of_family(AddressFamily::Inet).context("create a socket")?;
    match sys::loopback_up(v4.as_fd()) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => return Ok(()),
        other => other.context("bring the loopback interface up")?,
    }
    sys::add_loopback_address(v4.as_fd(), ADDRESS).context("add an address to the loopback interface")?;
    match of_family(AddressFamily::Inet6) {
        // A kernel without IPv6, or one where it is disabled.
        Err(_) => Ok(()),
        Ok(v6) => match sys::add_loopback_address_6(v6.as_fd(), ADDRESS_6) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::ENODEV)) => Ok(()),
            other => other.context("add an IPv6 address to the loopback interface"),
        },
    }
}

/// Addresses of the loopback interface besides 127.0.0.1 and ::1, from the ranges for benchmarks of networks (RFC 2544, RFC 5180): nothing
/// outside has them, and no test expects them to be unreachable. With AI_ADDRCONFIG, getaddrinfo(3) does not find `localhost` on a machine that has loopback addresses only.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const ADDRESS_6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 1);

/// The monotonic and boot clocks of every container start at this number of seconds, 11.6 days. A program that compares
/// the clock with an initial value of 0 works as on a machine that has been running for a while, and the milliseconds
/// still fit in 31 bits.
const CLOCK_START_SECONDS: i64 = 1_000_000;

/// Sets the offsets of the clocks that children see: time_namespaces(7).
pub(super) fn reset_clocks() -> Result<(), Error> {
    unshare(CloneFlags::from_bits_retain(libc::CLONE_NEWTIME)).context("create a time namespace")?;
    let seconds = |clock| clock_gettime(clock).map(|time| CLOCK_START_SECONDS - time.tv_sec()).context("read a clock");
    let (monotonic, boot) = (seconds(ClockId::CLOCK_MONOTONIC)?, seconds(ClockId::CLOCK_BOOTTIME)?);
    write("/proc/self/timens_offsets", &format!("monotonic {monotonic} 0\nboottime {boot} 0\n"))
}

/// Disables address space randomization from the next exec on: personality(2). Python hashes many objects by address,
/// so with random addresses the order of sets, and with it the output of tools, would change from run to run.
pub(super) fn fix_addresses() -> Result<(), Error> {
    let persona = personality::get().context("read the personality")?;
    match personality::set(persona | Persona::ADDR_NO_RANDOMIZE) {
        // The seccomp filters of some containers deny the call; then addresses stay random.
        Ok(_) | Err(Errno::EPERM) => Ok(()),
        Err(error) => Err(error).context("disable address space randomization"),
    }
}

/// A second barrier behind the seccomp filter: the kernel itself then refuses new user namespaces.
pub(super) fn forbid_namespaces() -> Result<(), Error> {
    write("/proc/sys/user/max_user_namespaces", "0")
}

/// Denies the step access to `/proc/1`: init's memory is a copy of the spawner's, and init has capabilities.
pub(super) fn hide_from_step() -> Result<(), Error> {
    prctl::set_dumpable(false).context("deny access to init")
}

/// Reverts [`hide_from_step`] in the leader, so that init can read the memory of its last calls before exec. No process of
/// the step runs yet.
pub(super) fn show_to_init() -> Result<(), Error> {
    prctl::set_dumpable(true).context("give init access to the leader")
}

fn write(path: &str, text: &str) -> Result<(), Error> {
    fs::write(path, text).with_context(|| format!("write `{path}`"))
}
