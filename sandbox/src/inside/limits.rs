//! Resource limits of the step's processes (setrlimit(2)). Limits on tmpfs mounts and control groups are set where
//! those are created; which limits the caller can set at all is in `enforceable`.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use super::ProcessScope;
use crate::error::Context;
use crate::{Error, Limits};

// The defaults of Linux 5.16 and later.
const STACK_BYTES: u64 = 8 << 20;
const LOCKED_BYTES: u64 = 8 << 20;
const QUEUED_BYTES: u64 = 819_200;
/// Linux permits half as many as processes, which depends on the size of the memory: 3,900 with 1 GiB.
const PENDING_SIGNALS: u64 = 2048;

/// Sets every limit to a fixed value, so that a step never sees those of the caller. An ordinary user can only lower
/// hard limits: a lower one of the caller remains.
pub(super) fn apply(limits: &Limits, scope: ProcessScope) -> Result<(), Error> {
    let processes = match scope {
        // One more than requested, because init runs as the same user.
        ProcessScope::PidNamespace => limits.processes.saturating_add(1),
        // Without a user namespace the limit would count all processes of the user on the host.
        ProcessScope::Subreaper => RLIM_INFINITY,
    };
    let data = limits.process_memory_bytes.unwrap_or(RLIM_INFINITY);
    for (resource, soft, hard) in [
        (Resource::RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY),
        (Resource::RLIMIT_CORE, 0, 0),
        (Resource::RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY),
        (Resource::RLIMIT_DATA, data, data),
        (Resource::RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (Resource::RLIMIT_LOCKS, RLIM_INFINITY, RLIM_INFINITY),
        (Resource::RLIMIT_MEMLOCK, LOCKED_BYTES, LOCKED_BYTES),
        (Resource::RLIMIT_MSGQUEUE, QUEUED_BYTES, QUEUED_BYTES),
        (Resource::RLIMIT_NICE, 0, 0),
        (Resource::RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (Resource::RLIMIT_NPROC, processes, processes),
        (Resource::RLIMIT_RSS, RLIM_INFINITY, RLIM_INFINITY),
        (Resource::RLIMIT_RTPRIO, 0, 0),
        (Resource::RLIMIT_RTTIME, RLIM_INFINITY, RLIM_INFINITY),
        (Resource::RLIMIT_SIGPENDING, PENDING_SIGNALS, PENDING_SIGNALS),
        (Resource::RLIMIT_STACK, STACK_BYTES, RLIM_INFINITY),
    ] {
        let (_, max) = getrlimit(resource).with_context(|| format!("read {resource:?}"))?;
        setrlimit(resource, soft.min(max), hard.min(max)).with_context(|| format!("set {resource:?}"))?;
    }
    Ok(())
}
