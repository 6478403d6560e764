//! The spawner's own namespaces: a mount namespace in which it may clone mounts, the user id that steps run as, and the
//! template mounts that every container shows. Nothing here belongs to a single container.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getegid, geteuid};

use crate::error::{Cause, Context};
use crate::kernel::unsupported_namespaces;
use crate::{Error, Unsupported, inside, sys, wire};

/// The user id and group id of every step, as seen inside its container.
pub(crate) const INSIDE_ID: u32 = 1000;

/// The user id of steps in the spawner's user namespace. If real root starts Waders, it is the kernel user id, and it
/// owns no file of the host. RLIMIT_NPROC applies to it, while it never applies to kernel user 0. Below 65534, so that it
/// exists in containers that map 65536 ids. Steps see it in `/proc/self/uid_map`, so it is the same for ordinary users.
const STEP_ID: u32 = 64_999;

/// The resources from which the spawner creates containers.
pub(crate) struct HostContext {
    /// The user id of steps in the spawner's user namespace.
    pub(crate) step_user: u32,
    /// The kernel user of steps is [`STEP_ID`] rather than the caller.
    pub(crate) dedicated: bool,
    /// The user namespace of id-mapped mounts, which show files of root as files of the step.
    pub(crate) idmap: Option<OwnedFd>,
    /// Path of the template mounts, in the spawner's mount namespace and in those that containers inherit from it.
    pub(crate) template: PathBuf,
}

impl HostContext {
    /// Moves this process into new namespaces. Root of a user namespace that maps [`STEP_ID`] needs only a mount
    /// namespace; any other user also needs a user namespace, which grants the capabilities for it.
    pub(crate) fn enter() -> Result<HostContext, Unsupported> {
        if geteuid().is_root() && is_step_id_mapped() && unshare(CloneFlags::CLONE_NEWNS).is_ok() {
            let idmap = create_idmap().ok();
            let template = mount_template(STEP_ID)?;
            return Ok(HostContext { step_user: STEP_ID, dedicated: true, idmap, template });
        }
        let (user, group) = (geteuid(), getegid());
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
            .map_err(|error| unsupported_namespaces("create a user namespace", error.into()))?;
        let write = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text);
        write("setgroups", "deny".to_owned())
            .and_then(|()| write("uid_map", format!("{STEP_ID} {user} 1")))
            .and_then(|()| write("gid_map", format!("{STEP_ID} {group} 1")))
            .map_err(|error| unsupported_namespaces("map the user into its namespace", error.into()))?;
        let template = mount_template(STEP_ID)?;
        Ok(HostContext { step_user: STEP_ID, dedicated: false, idmap: None, template })
    }

    /// Maps [`INSIDE_ID`] of a container's user namespace to the step's user.
    pub(crate) fn write_id_maps(&self, init: Pid) -> Result<(), Error> {
        for file in ["uid_map", "gid_map"] {
            let path = format!("/proc/{init}/{file}");
            fs::write(&path, format!("{INSIDE_ID} {} 1", self.step_user)).with_context(|| format!("write `{path}`"))?;
        }
        Ok(())
    }
}

fn mount_template(owner: u32) -> Result<PathBuf, Unsupported> {
    inside::mount_template(owner).map_err(|error| match error {
        Error::Unsupported(unsupported) => unsupported,
        Error::System { operation, cause } => unsupported_namespaces(&operation, cause),
        other => unsupported_namespaces(&format!("mount the template: {other}"), Cause(libc::EIO)),
    })
}

/// Mapping an id requires that the enclosing user namespace maps it too. In a small container, root may not have the
/// range that contains [`STEP_ID`].
fn is_step_id_mapped() -> bool {
    let covers = |file: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| {
            let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            matches!(numbers[..], [first, _, count] if (first..first + count).contains(&u64::from(STEP_ID)))
        })
    };
    covers("/proc/self/uid_map") && covers("/proc/self/gid_map")
}

/// Creates a user namespace that serves only as the mapping of id-mapped mounts: id 0 on disk is the step's user here.
/// A namespace needs a process to be created, so a child waits until its namespace is mapped and opened.
fn create_idmap() -> Result<OwnedFd, Error> {
    let (ours, theirs) = wire::socket_pair()?;
    match sys::clone(CloneFlags::CLONE_NEWUSER.bits()).context("create a user namespace")? {
        sys::ForkResult::Child => {
            drop(ours);
            let _ = wire::receive::<wire::Order>(theirs.as_fd());
            sys::exit(0)
        }
        sys::ForkResult::Parent(child) => {
            drop(theirs);
            let namespace = map_root_to_step(child);
            drop(ours);
            waitpid(child, None).context("wait for the process of the id mapping")?;
            namespace
        }
    }
}

fn map_root_to_step(child: Pid) -> Result<OwnedFd, Error> {
    for file in ["uid_map", "gid_map"] {
        let path = format!("/proc/{child}/{file}");
        fs::write(&path, format!("0 {STEP_ID} 1")).with_context(|| format!("write `{path}`"))?;
    }
    let path = format!("/proc/{child}/ns/user");
    fs::File::open(&path).map(OwnedFd::from).map_err(Cause::from).with_context(|| format!("open `{path}`"))
}
