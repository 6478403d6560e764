//! Where the spawner itself stands: a mount namespace of its own in which it may copy mounts, and the user ids that
//! sandboxes are mapped to. Nothing here belongs to one sandbox.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getegid, geteuid};

use crate::error::{Cause, Doing};
use crate::kernel::lacks_namespaces;
use crate::{Error, Lack, inside, sys, wire};

/// The user and group of every step, as it sees itself.
pub const INSIDE: u32 = 1000;

/// The kernel user id of steps when real root starts them: owns no file of the host, and RLIMIT_NPROC, which never
/// binds kernel user 0, binds it. Below 65534, so that containers that map 65536 ids have it.
const DEDICATED: u32 = 64_999;

/// What the spawner stands on once it may copy mounts.
pub struct Ground {
    /// The user id that steps have, as the spawner sees it.
    pub step_user: u32,
    pub dedicated: bool,
    /// Shows files of root as files of the step in an id-mapped mount.
    pub idmap: Option<OwnedFd>,
    /// What all cells show alike, at this path of our mount namespace and of theirs.
    pub template: PathBuf,
}

/// As root of a user namespace that knows [`DEDICATED`]: a private mount namespace. Otherwise: a user namespace in which
/// we have the capabilities for one.
pub fn enter() -> Result<Ground, Lack> {
    if geteuid().is_root() && maps_dedicated() && unshare(CloneFlags::CLONE_NEWNS).is_ok() {
        let idmap = idmap_namespace().ok();
        return Ok(Ground { step_user: DEDICATED, dedicated: true, idmap, template: template(DEDICATED)? });
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|error| lacks_namespaces("make a user namespace", error.into()))?;
    let write = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text);
    write("setgroups", "deny".to_owned())
        .and_then(|()| write("uid_map", format!("{INSIDE} {user} 1")))
        .and_then(|()| write("gid_map", format!("{INSIDE} {group} 1")))
        .map_err(|error| lacks_namespaces("map the user into its namespace", error.into()))?;
    Ok(Ground { step_user: INSIDE, dedicated: false, idmap: None, template: template(INSIDE)? })
}

fn template(owner: u32) -> Result<PathBuf, Lack> {
    inside::make_template(owner).map_err(|error| match error {
        Error::System { doing, cause } => lacks_namespaces(&doing, cause),
        other => lacks_namespaces(&other.to_string(), Cause(libc::ENOTDIR)),
    })
}

/// Maps [`INSIDE`] of a cell's user namespace to the step's user.
pub fn map_cell(ground: &Ground, cell: Pid) -> Result<(), Error> {
    for file in ["uid_map", "gid_map"] {
        let path = format!("/proc/{cell}/{file}");
        fs::write(&path, format!("{INSIDE} {} 1", ground.step_user)).doing_with(|| format!("write `{path}`"))?;
    }
    Ok(())
}

/// Namespaces of another owner need the capability in the enclosing one: root in a small container may lack the range.
fn maps_dedicated() -> bool {
    let covers = |file: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| {
            let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            matches!(numbers[..], [first, _, count] if (first..first + count).contains(&u64::from(DEDICATED)))
        })
    };
    covers("/proc/self/uid_map") && covers("/proc/self/gid_map")
}

/// A user namespace that exists only as the map of id-mapped mounts: 0 on disk is the step's user here.
fn idmap_namespace() -> Result<OwnedFd, Error> {
    let (ours, theirs) = wire::pair()?;
    match sys::clone(CloneFlags::CLONE_NEWUSER.bits()).doing("make a user namespace")? {
        sys::Side::Child => {
            drop(ours);
            let _ = wire::receive::<wire::Order>(std::os::fd::AsFd::as_fd(&theirs));
            sys::exit(0)
        }
        sys::Side::Parent(child) => {
            drop(theirs);
            let namespace = map_idmap(child);
            drop(ours);
            waitpid(child, None).doing("wait for the map's process")?;
            namespace
        }
    }
}

fn map_idmap(child: Pid) -> Result<OwnedFd, Error> {
    for file in ["uid_map", "gid_map"] {
        let path = format!("/proc/{child}/{file}");
        fs::write(&path, format!("0 {DEDICATED} 1")).doing_with(|| format!("write `{path}`"))?;
    }
    let path = format!("/proc/{child}/ns/user");
    fs::File::open(&path).map(OwnedFd::from).map_err(Cause::from).doing_with(|| format!("open `{path}`"))
}
