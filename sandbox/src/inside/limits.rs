//! Resource limits of the step's processes (setrlimit(2)). Limits on tmpfs mounts and control groups are set where
//! those are created.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use super::ProcessScope;
use crate::error::Context;
use crate::{Error, Limits};

// The defaults of Linux 5.16 and later.
const STACK_BYTES: u64 = 8 << 20;
const LOCKED_BYTES: u64 = 8 << 20;

/// Sets every limit that a step can observe to a fixed value, so that it is the same on all machines that permit it.
pub(super) fn apply(limits: &Limits, scope: ProcessScope) -> Result<(), Error> {
    let (soft_stack, hard_stack) = (STACK_BYTES, RLIM_INFINITY);
    let processes = match scope {
        // One more than requested, because init runs as the same user.
        ProcessScope::PidNamespace => limits.processes.saturating_add(1),
        // Without a user namespace the limit would count all processes of the user on the host.
        ProcessScope::Subreaper => RLIM_INFINITY,
    };
    for (resource, soft, hard) in [
        (Resource::RLIMIT_CORE, 0, 0),
        (Resource::RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (Resource::RLIMIT_MEMLOCK, LOCKED_BYTES, LOCKED_BYTES),
        (Resource::RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (Resource::RLIMIT_NPROC, processes, processes),
        (Resource::RLIMIT_STACK, soft_stack, hard_stack),
    ] {
        // An unprivileged process can only lower a hard limit.
        let (_, max) = getrlimit(resource).with_context(|| format!("read {resource:?}"))?;
        setrlimit(resource, soft.min(max), hard.min(max)).with_context(|| format!("set {resource:?}"))?;
    }
    Ok(())
}
