//! The memory limit of one sandbox, where the machine lets us make control groups: version 2 where `memory` is
//! delegated to our group, else version 1 as root. Process counts are limited by RLIMIT_NPROC instead.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{AccessFlags, Pid, access, getpid};

use crate::error::Doing;
use crate::{Error, Lack};

/// Names of our groups begin with it; the spawner's process and the cell's follow.
const PREFIX: &str = "waders-";

/// A group of one cell. It can be removed only when the cell is gone, which is a little later than its report.
pub struct Group {
    dir: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

pub fn memory_delegated() -> Result<(), Lack> {
    parent().map(drop)
}

impl Group {
    /// Puts a process, and so all it will start, under a limit.
    pub fn limit(pid: Pid, memory_bytes: u64) -> Result<Group, Error> {
        let (parent, version) = parent().map_err(Error::Lacking)?;
        let dir = parent.join(format!("{PREFIX}{}-{pid}", getpid()));
        fs::create_dir(&dir).doing_with(|| format!("make the control group `{}`", dir.display()))?;
        let group = Group { dir, version };
        let write = |file: &str, text: String| {
            let path = group.dir.join(file);
            fs::write(&path, text).doing_with(|| format!("write `{}`", path.display()))
        };
        match version {
            Version::One => write("memory.limit_in_bytes", memory_bytes.to_string())?,
            Version::Two => {
                write("memory.max", memory_bytes.to_string())?;
                // Swapping would only hide that the limit was reached. Absent where the kernel has no swap accounting.
                let _ = write("memory.swap.max", "0".to_owned());
            }
        }
        write("cgroup.procs", pid.to_string())?;
        Ok(group)
    }

    /// Whether it is gone now.
    pub fn remove(&self) -> bool {
        !fs::remove_dir(&self.dir).is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
    }

    /// Whether the kernel killed something in the group for memory.
    pub fn out_of_memory(&self) -> bool {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        let count = text.lines().filter_map(|line| line.strip_prefix("oom_kill ")).next();
        count.is_some_and(|count| count != "0")
    }
}

/// Removes the groups of spawners that were killed before they could.
pub fn sweep() {
    let Ok((parent, _)) = parent() else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let spawner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
        let is_dead = |pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
        if spawner.is_some_and(is_dead) {
            // Whoever swept it before us has done it.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Our own group, when groups with a memory limit can be made in it.
fn parent() -> Result<(PathBuf, Version), Lack> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let two = text.lines().find_map(|line| line.strip_prefix("0::/"));
    for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let Some(dir) = two.map(|group| Path::new(root).join(group)) else { continue };
        let control = fs::read_to_string(dir.join("cgroup.subtree_control")).unwrap_or_default();
        if control.split_whitespace().any(|name| name == "memory") && writable(&dir) {
            return Ok((dir, Version::Two));
        }
    }
    let one = text.lines().find_map(|line| {
        let (names, group) = line.split_once(':')?.1.split_once(":/")?;
        names.split(',').any(|name| name == "memory").then_some(group)
    });
    if let Some(dir) = one.map(|group| Path::new("/sys/fs/cgroup/memory").join(group)).filter(|dir| writable(dir)) {
        return Ok((dir, Version::One));
    }
    Err(Lack {
        what: "a memory limit".to_owned(),
        why: "no control group with `memory` is delegated to this process".to_owned(),
        remedy: "run under `systemd-run --user --scope -p Delegate=yes`, or set no memory limit".to_owned(),
    })
}

fn writable(dir: &Path) -> bool {
    access(dir, AccessFlags::W_OK).is_ok()
}
