//! The limits that this process can impose on its steps: an ordinary user cannot exceed his own hard limits. Applying
//! limits is in `inside::limits`.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use crate::Limits;

/// Limits that are not requested, but that a lower hard limit of the caller would impose.
const UNLIMITED: [Resource; 7] = [
    Resource::RLIMIT_AS,
    Resource::RLIMIT_CPU,
    Resource::RLIMIT_DATA,
    Resource::RLIMIT_LOCKS,
    Resource::RLIMIT_RSS,
    Resource::RLIMIT_RTTIME,
    Resource::RLIMIT_STACK,
];

impl Limits {
    /// Lowers each limit to the hard limit of this process, after raising the hard limits where this is permitted
    /// (CAP_SYS_RESOURCE). These are the limits that steps really get, and so those that belong in an action's key.
    /// Must be called before [`Spawner::start`](crate::Spawner::start), because the spawner inherits the hard limits.
    pub fn enforceable(mut self) -> Limits {
        for resource in UNLIMITED {
            raise_hard_limit(resource, RLIM_INFINITY);
        }
        self.open_files = raise_hard_limit(Resource::RLIMIT_NOFILE, self.open_files);
        self.file_bytes = raise_hard_limit(Resource::RLIMIT_FSIZE, self.file_bytes);
        self.process_memory_bytes =
            self.process_memory_bytes.map(|bytes| raise_hard_limit(Resource::RLIMIT_DATA, bytes));
        // Init is one process more: see `inside::limits`.
        let processes = raise_hard_limit(Resource::RLIMIT_NPROC, self.processes.saturating_add(1));
        self.processes = processes.saturating_sub(1);
        self
    }
}

/// Returns `wanted` if steps can get it as their hard limit, otherwise the highest possible value.
fn raise_hard_limit(resource: Resource, wanted: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(resource) else { return wanted };
    // The maximum of RLIMIT_NOFILE is the setting `fs.nr_open`: then the call fails even for root.
    if hard >= wanted || setrlimit(resource, soft, wanted).is_ok() { wanted } else { hard }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_above_the_hard_limit_is_lowered_to_it() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(raise_hard_limit(Resource::RLIMIT_NOFILE, hard), hard);
        assert_eq!(raise_hard_limit(Resource::RLIMIT_NOFILE, 1), 1);
        // No process may have this many, not even one of root.
        assert_eq!(raise_hard_limit(Resource::RLIMIT_NOFILE, u64::MAX - 1), hard);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (soft, hard));
    }
}
