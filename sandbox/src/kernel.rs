//! What this kernel and container offer for isolation, and the remedy for what they lack. Facts only: the refusals
//! themselves are made where a request asks for something.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Cause, Doing};
use crate::{Error, Isolation, Limits, Network, Request, Spawner, Stdio, cgroup, sys};

/// What a spawner found out by trying, before its first request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kernel {
    pub release: String,
    /// Namespaces of every kind and the mounts in them; nothing but `Isolation::None` works without.
    pub namespaces: Result<(), Lack>,
    /// 0 when there is none; 6 is the first that scopes abstract sockets and signals.
    pub landlock_abi: u32,
    pub seccomp: Result<(), Lack>,
    /// Whether `Limits::memory_bytes` can be enforced.
    pub memory_limit: Result<(), Lack>,
    /// Steps run as a user id of their own (only when started as real root).
    pub dedicated_user: bool,
}

/// Something this kernel does not give, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{what}: {why}")]
pub struct Lack {
    pub what: String,
    pub why: String,
    pub remedy: String,
}

/// Starts a spawner only to find out what this kernel can isolate, and tries it.
pub fn probe() -> Result<Kernel, Error> {
    let spawner = Spawner::start()?;
    let mut kernel = spawner.kernel().clone();
    let null = || fs::File::options().write(true).open("/dev/null").map(OwnedFd::from).doing("open `/dev/null`");
    let isolation = if kernel.landlock_abi > 0 { Isolation::Full } else { Isolation::NoLandlock };
    match spawner.run(&trial(isolation), null()?, null()?)?.wait() {
        // All walls stood when it came to this.
        Ok(_) | Err(Error::Exec { .. }) => {}
        Err(Error::Lacking(lack)) => kernel.namespaces = Err(lack),
        Err(error) => return Err(error),
    }
    Ok(kernel)
}

/// Asks for a program that is not there, in an empty sandbox.
fn trial(isolation: Isolation) -> Request {
    Request {
        argv: vec!["/nothing".to_owned()],
        env: BTreeMap::new(),
        cwd: PathBuf::from("/"),
        mounts: Vec::new(),
        network: Network::Loopback,
        limits: Limits {
            timeout: Some(Duration::from_secs(10)),
            grace: Duration::ZERO,
            processes: 1,
            open_files: 64,
            file_bytes: 0,
            memory_bytes: None,
        },
        isolation,
        stdio: Stdio::Captured,
    }
}

impl Kernel {
    pub(crate) fn look(namespaces: Result<(), Lack>, dedicated_user: bool) -> Kernel {
        Kernel {
            release: sysctl("kernel/osrelease").unwrap_or_default(),
            namespaces,
            landlock_abi: sys::landlock_abi(),
            seccomp: seccomp(),
            memory_limit: cgroup::memory_delegated(),
            dedicated_user,
        }
    }
}

/// Why Landlock of at least `abi` is missing.
pub(crate) fn lacks_landlock(found: u32, needed: u32) -> Lack {
    Lack {
        what: format!("Landlock ABI {needed}"),
        why: match found {
            0 => "this kernel offers no Landlock".to_owned(),
            abi => format!("this kernel offers Landlock ABI {abi}"),
        },
        remedy:
            "boot a kernel of 5.13 or later (6.12 for the host network) with `landlock` in its `lsm=` list, or allow \
                 the isolation level `no-landlock` by name"
                .to_owned(),
    }
}

/// Reads why the kernel refused a namespace or a mount in it, from the settings that are known to forbid it.
pub(crate) fn lacks_namespaces(doing: &str, cause: Cause) -> Lack {
    let (why, remedy) =
        explain(cause, &|name| sysctl(name), fs::read_to_string("/proc/self/status").unwrap_or_default());
    Lack { what: "user namespaces".to_owned(), why: format!("{why} (cannot {doing}: {cause})"), remedy }
}

fn explain(cause: Cause, sysctl: &dyn Fn(&str) -> Option<String>, status: String) -> (String, String) {
    let is = |name: &str, value: &str| sysctl(name).as_deref() == Some(value);
    let filtered = status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]));
    let (why, remedy) = if is("user/max_user_namespaces", "0") {
        ("`user.max_user_namespaces` is 0", "run `sudo sysctl user.max_user_namespaces=15000`")
    } else if is("kernel/unprivileged_userns_clone", "0") {
        ("`kernel.unprivileged_userns_clone` is 0", "run `sudo sysctl kernel.unprivileged_userns_clone=1`")
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        (
            "AppArmor restricts user namespaces to programs with a profile",
            "give this program an AppArmor profile with `userns,`, or run `sudo sysctl \
             kernel.apparmor_restrict_unprivileged_userns=0`",
        )
    } else if cause.0 == libc::ENOSPC || cause.0 == libc::EUSERS {
        (
            "the limit of user namespaces, or of their nesting, is reached",
            "raise `user.max_user_namespaces`, or run outside the enclosing sandbox",
        )
    } else if cause.0 == libc::EPERM && filtered {
        (
            "a seccomp filter, most likely a container's, forbids it",
            "start the container with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`, or \
             run on the host",
        )
    } else if cause.0 == libc::EINVAL || cause.0 == libc::ENOSYS {
        ("this kernel is too old or built without them", "boot a kernel of 5.14 or later with CONFIG_USER_NS=y")
    } else if cause.0 == libc::EPERM && filtered_proc(&status) {
        (
            "a container masks parts of /proc, so that no new one may be mounted",
            "start the container with `--security-opt systempaths=unconfined`",
        )
    } else {
        ("a security module or container forbids it", "run on the host, or in a container that allows user namespaces")
    };
    (why.to_owned(), remedy.to_owned())
}

/// A container that lacks capabilities but has no filter: its bounding set is not the full one.
fn filtered_proc(status: &str) -> bool {
    status.lines().any(|line| line.starts_with("CapBnd:") && !line.contains("1ff"))
}

fn seccomp() -> Result<(), Lack> {
    let actions = sysctl("kernel/seccomp/actions_avail").unwrap_or_default();
    if actions.split_whitespace().any(|action| action == "errno") {
        return Ok(());
    }
    Err(Lack {
        what: "seccomp filters".to_owned(),
        why: "`kernel.seccomp.actions_avail` does not list `errno`".to_owned(),
        remedy: "boot a kernel with CONFIG_SECCOMP_FILTER=y".to_owned(),
    })
}

fn sysctl(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cause: i32, setting: (&str, &str), status: &str, remedy: &str) {
        let sysctl = |name: &str| (name == setting.0).then(|| setting.1.to_owned());
        let (why, found) = explain(Cause(cause), &sysctl, status.to_owned());
        assert!(found.contains(remedy), "{why}: {found}");
    }

    #[test]
    fn every_known_refusal_names_its_own_remedy() {
        check(libc::ENOSPC, ("user/max_user_namespaces", "0"), "", "max_user_namespaces=15000");
        check(libc::EPERM, ("kernel/unprivileged_userns_clone", "0"), "", "unprivileged_userns_clone=1");
        check(libc::EACCES, ("kernel/apparmor_restrict_unprivileged_userns", "1"), "", "AppArmor profile");
        check(libc::EPERM, ("", ""), "Seccomp:\t2\n", "seccomp=unconfined");
        check(libc::ENOSPC, ("", ""), "", "raise `user.max_user_namespaces`");
        check(libc::EINVAL, ("", ""), "", "CONFIG_USER_NS");
        check(libc::EPERM, ("", ""), "", "run on the host");
    }
}
