//! The memory limit of one container, on machines where control groups can be created: version 2 if the `memory`
//! controller is delegated to the caller's group, otherwise version 1 as root. The number of processes is limited by
//! RLIMIT_NPROC instead.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{AccessFlags, Pid, access, getpid};

use crate::error::Context;
use crate::{Error, Unsupported};

/// [`Unsupported::feature`] where no memory limit can be enforced.
pub const MEMORY_LIMIT: &str = "memory limit";

/// A group's name is this prefix, then the process ids of the spawner and of the container's init.
const PREFIX: &str = "waders-";

/// The control group of one container. It can be removed only after all processes of the container have ended, which is
/// a little later than init's report.
pub(crate) struct Cgroup {
    dir: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

pub(crate) fn check_memory_delegated() -> Result<(), Unsupported> {
    find_parent().map(drop)
}

impl Cgroup {
    /// Creates a group with this limit and moves a process into it. Everything that the process starts later is in the
    /// group as well.
    pub(crate) fn with_memory_limit(pid: Pid, memory_bytes: u64) -> Result<Cgroup, Error> {
        let (parent, version) = find_parent().map_err(Error::Unsupported)?;
        let dir = parent.join(format!("{PREFIX}{}-{pid}", getpid()));
        fs::create_dir(&dir).with_context(|| format!("create the control group `{}`", dir.display()))?;
        let group = Cgroup { dir, version };
        match group.enclose(pid, memory_bytes) {
            Ok(()) => Ok(group),
            Err(error) => {
                group.remove();
                Err(error)
            }
        }
    }

    /// Sets the limit first, so that the process is never in a group without one.
    fn enclose(&self, pid: Pid, memory_bytes: u64) -> Result<(), Error> {
        let write = |file: &str, text: String| {
            let path = self.dir.join(file);
            fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))
        };
        match self.version {
            Version::One => write("memory.limit_in_bytes", memory_bytes.to_string())?,
            Version::Two => {
                write("memory.max", memory_bytes.to_string())?;
                // Without this the step would swap instead of reaching its limit. The file does not exist on kernels
                // without swap accounting.
                let _ = write("memory.swap.max", "0".to_owned());
            }
        }
        write("cgroup.procs", pid.to_string())
    }

    /// Whether the group still has a limit. The owner of the parent group can disable the controller at any time.
    pub(crate) fn is_limited(&self) -> bool {
        let (file, unlimited) = match self.version {
            // Version 1 shows the largest multiple of the page size.
            Version::One => ("memory.limit_in_bytes", "9223372036854771712"),
            Version::Two => ("memory.max", "max"),
        };
        fs::read_to_string(self.dir.join(file)).is_ok_and(|text| text.trim_end() != unlimited)
    }

    /// Tries to remove the group. Returns false if it still contains processes.
    pub(crate) fn remove(&self) -> bool {
        !fs::remove_dir(&self.dir).is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
    }

    /// Whether the kernel killed a process of the group because of the limit.
    pub(crate) fn out_of_memory(&self) -> bool {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        let count = text.lines().filter_map(|line| line.strip_prefix("oom_kill ")).next();
        count.is_some_and(|count| count != "0")
    }
}

/// Removes the groups of spawners that were killed before they could remove them.
pub(crate) fn remove_stale() {
    let Ok((parent, _)) = find_parent() else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let spawner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
        let is_dead = |pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
        if spawner.is_some_and(is_dead) {
            // Fails if another spawner has removed it since it was listed.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Returns a control group in which groups with a memory limit can be created: this process's own, or in version 2 also
/// the one above it. There, a group that contains processes cannot limit the memory of groups below it, unless it is the
/// root: cgroups(7).
fn find_parent() -> Result<(PathBuf, Version), Unsupported> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let two = text.lines().find_map(|line| line.strip_prefix("0::/"));
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let Some(own) = two.map(|group| Path::new(root).join(group)) else { continue };
        let limits_memory = |dir: &&Path| {
            let control = fs::read_to_string(dir.join("cgroup.subtree_control")).unwrap_or_default();
            control.split_whitespace().any(|name| name == "memory") && is_writable(dir)
        };
        let above = own.parent().filter(|dir| dir.starts_with(root) && is_writable(&dir.join("cgroup.procs")));
        if let Some(dir) = [Some(own.as_path()), above].into_iter().flatten().find(limits_memory) {
            return Ok((dir.to_owned(), Version::Two));
        }
    }
    let one = text.lines().find_map(|line| {
        let (names, group) = line.split_once(':')?.1.split_once(":/")?;
        names.split(',').any(|name| name == "memory").then_some(group)
    });
    if let Some(dir) = one.map(|group| Path::new("/sys/fs/cgroup/memory").join(group)).filter(|dir| is_writable(dir)) {
        return Ok((dir, Version::One));
    }
    Err(Unsupported {
        feature: MEMORY_LIMIT.to_owned(),
        reason: "no control group with the `memory` controller is delegated to this process".to_owned(),
        remedy: "run under `systemd-run --user --scope -p Delegate=yes`".to_owned(),
    })
}

fn is_writable(path: &Path) -> bool {
    access(path, AccessFlags::W_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::print_stderr, reason = "reports that the test was skipped")]
    fn a_group_that_cannot_be_completed_is_removed() {
        let (parent, _) = match find_parent() {
            Ok(found) => found,
            Err(unsupported) => return eprintln!("skipped: {unsupported}"),
        };
        // No process has this id: it is above the largest possible one.
        let nobody = Pid::from_raw(i32::MAX);
        assert!(Cgroup::with_memory_limit(nobody, 1 << 30).is_err());
        let name = format!("{PREFIX}{}-{nobody}", getpid());
        assert!(!parent.join(name).exists());
    }
}
