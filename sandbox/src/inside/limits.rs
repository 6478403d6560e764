//! Resource limits of the step's processes. What tmpfs and control groups limit is set where those are made.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use super::House;
use crate::error::Doing;
use crate::{Error, Limits};

const STACK_BYTES: u64 = 8 << 20;
const LOCKED_BYTES: u64 = 8 << 20;

/// Sets what a step may see of limits to fixed values, so that they are the same on every machine where they can be.
pub fn apply(limits: &Limits, house: House) -> Result<(), Error> {
    let (soft_stack, hard_stack) = (STACK_BYTES, RLIM_INFINITY);
    let processes = match house {
        // One more than asked for: pid 1 of the sandbox counts as the same user.
        House::PidNamespace => limits.processes.saturating_add(1),
        // Without a user namespace everything counts that the user runs anywhere.
        House::Subreaper => RLIM_INFINITY,
    };
    for (resource, soft, hard) in [
        (Resource::RLIMIT_CORE, 0, 0),
        (Resource::RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (Resource::RLIMIT_MEMLOCK, LOCKED_BYTES, LOCKED_BYTES),
        (Resource::RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (Resource::RLIMIT_NPROC, processes, processes),
        (Resource::RLIMIT_STACK, soft_stack, hard_stack),
    ] {
        // Without privilege a limit only goes down.
        let (_, most) = getrlimit(resource).doing_with(|| format!("read {resource:?}"))?;
        setrlimit(resource, soft.min(most), hard.min(most)).doing_with(|| format!("set {resource:?}"))?;
    }
    Ok(())
}
