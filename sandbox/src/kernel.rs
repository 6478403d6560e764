//! The isolation features of this kernel and of the enclosing container, and the remedy for each missing one. Requests
//! are refused elsewhere, where a request needs a feature.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Cause, Context};
use crate::{Error, Isolation, Limits, Network, Request, Spawner, Stdio, cgroup, sys};

/// The isolation features of this machine, as a spawner found them by trying.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kernel {
    /// The kernel's release, such as `6.12.0`; empty if `/proc` does not show it.
    pub release: String,
    /// Whether namespaces and mounts in them can be created. Every level above [`Isolation::None`] requires them.
    pub namespaces: Result<(), Unsupported>,
    /// The Landlock ABI version: 0 if there is no Landlock, 6 or later if it can restrict abstract sockets and signals.
    pub landlock_abi: u32,
    /// Whether system call filters are supported.
    pub seccomp: Result<(), Unsupported>,
    /// Whether [`Limits::memory_bytes`] can be enforced.
    pub memory_limit: Result<(), Unsupported>,
    /// Whether steps run as a user id of their own, which is so only if real root started the spawner.
    pub dedicated_user: bool,
}

/// A feature that this machine does not provide, with the reason and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{feature} unavailable: {reason}")]
pub struct Unsupported {
    /// The missing feature as a noun: `user namespaces`.
    pub feature: String,
    /// Why it is missing, with the system's answer where there is one.
    pub reason: String,
    /// The action for the user, as an imperative.
    pub remedy: String,
}

/// Starts a spawner and runs a trial request, to find out what this machine can isolate.
///
/// # Errors
/// If the spawner does not start, or the trial fails for a reason other than a missing feature.
pub fn probe() -> Result<Kernel, Error> {
    let spawner = Spawner::start()?;
    let mut kernel = spawner.kernel().clone();
    let null = || fs::File::options().write(true).open("/dev/null").map(OwnedFd::from).context("open `/dev/null`");
    let isolation = if kernel.landlock_abi > 0 { Isolation::Full } else { Isolation::NoLandlock };
    match spawner.run(&trial_request(isolation), null()?, null()?)?.wait() {
        // The program does not exist, so the expected answer is that everything before exec succeeded.
        Ok(_) | Err(Error::Exec { .. }) => {}
        Err(Error::Unsupported(unsupported)) => kernel.namespaces = Err(unsupported),
        Err(error) => return Err(error),
    }
    Ok(kernel)
}

/// A request for a program that does not exist, in an empty sandbox.
fn trial_request(isolation: Isolation) -> Request {
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
            process_memory_bytes: None,
        },
        isolation,
        stdio: Stdio::Captured,
        audit: false,
    }
}

impl Kernel {
    /// Detects what can be read without creating a container; the caller passes the rest.
    pub(crate) fn detect(namespaces: Result<(), Unsupported>, dedicated_user: bool) -> Kernel {
        Kernel {
            release: read_sysctl("kernel/osrelease").unwrap_or_default(),
            namespaces,
            landlock_abi: sys::landlock_abi(),
            seccomp: check_seccomp(),
            memory_limit: cgroup::check_memory_delegated(),
            dedicated_user,
        }
    }
}

/// The refusal where a request needs Landlock ABI `needed` and the kernel has ABI `found`, or 0 for none.
pub(crate) fn unsupported_landlock(found: u32, needed: u32) -> Unsupported {
    Unsupported {
        feature: format!("Landlock ABI {needed}"),
        reason: match found {
            0 => "this kernel does not support Landlock, or does not enable it at boot".to_owned(),
            abi => format!("this kernel supports Landlock ABI {abi}"),
        },
        remedy: "boot Linux 5.13 or later (6.12 or later for a step that uses the host's network) with `landlock` in \
                 the boot parameter `lsm=`, or select the weaker isolation level `no-landlock` by name"
            .to_owned(),
    }
}

/// The refusal where the kernel denied a namespace or a mount in one. The reason is derived from the errno and from the
/// settings that are known to cause it. `operation` completes the sentence "cannot …".
pub(crate) fn unsupported_namespaces(operation: &str, cause: Cause) -> Unsupported {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let (reason, remedy) = explain(cause, &read_sysctl, &status);
    Unsupported {
        feature: "user namespaces".to_owned(),
        reason: format!("{reason} (cannot {operation}: {cause})"),
        remedy: remedy.to_owned(),
    }
}

/// The refusal where the kernel denies a new `/proc`. In a user namespace it allows one only if no part of a visible one is
/// covered by a mount (`mount_too_revealing` in the kernel's fs/namespace.c), as container engines do with `/proc/kcore` and others.
pub(crate) fn unsupported_proc(cause: Cause) -> Unsupported {
    Unsupported {
        feature: "a `/proc` for the step alone".to_owned(),
        reason: match cause.0 {
            libc::EPERM => format!(
                "mounts cover parts of the visible `/proc`, as in a container that masks them (cannot mount a new `/proc`: {cause})"
            ),
            _ => format!("the kernel denies it (cannot mount a new `/proc`: {cause})"),
        },
        remedy: "start the container with `--security-opt systempaths=unconfined` (Kubernetes: `procMount: Unmasked`), or run \
                 on the host"
            .to_owned(),
    }
}

/// The refusal where none of these directories exists.
pub(crate) fn unsupported_root(candidates: &[&str]) -> Unsupported {
    let list = candidates.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    Unsupported {
        feature: "a directory to mount the sandbox's own files on".to_owned(),
        reason: format!("none of {list} is a directory"),
        remedy: format!("create an empty directory `{}`", candidates.last().copied().unwrap_or_default()),
    }
}

/// Returns reason and remedy. `status` is the text of `/proc/self/status`: proc_pid_status(5).
fn explain(cause: Cause, sysctl: &dyn Fn(&str) -> Option<String>, status: &str) -> (&'static str, &'static str) {
    let is = |name: &str, value: &str| sysctl(name).as_deref() == Some(value);
    let has_seccomp_filter = status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]));
    // Only the errno that a setting causes: inside a container, a setting can have any value without being the cause.
    let is_limit = cause.0 == libc::ENOSPC || cause.0 == libc::EUSERS;
    let is_denial = cause.0 == libc::EPERM || cause.0 == libc::EACCES;
    if is_limit && is("user/max_user_namespaces", "0") {
        (
            "the setting `user.max_user_namespaces` is 0",
            "allow user namespaces: run `sudo sysctl user.max_user_namespaces=15000`, and add the setting to \
             `/etc/sysctl.d` to keep it after a reboot",
        )
    } else if is_denial && is("kernel/unprivileged_userns_clone", "0") {
        (
            "the setting `kernel.unprivileged_userns_clone` is 0",
            "allow user namespaces: run `sudo sysctl kernel.unprivileged_userns_clone=1`, and add the setting to \
             `/etc/sysctl.d` to keep it after a reboot",
        )
    } else if is_denial && is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        (
            "AppArmor allows user namespaces only to programs with a profile",
            "give this program an AppArmor profile that contains `userns,`, or run `sudo sysctl \
             kernel.apparmor_restrict_unprivileged_userns=0`",
        )
    } else if is_limit {
        (
            "the limit on the number or the nesting depth of user namespaces is reached",
            "raise `user.max_user_namespaces` with `sudo sysctl`, or run outside the enclosing sandbox",
        )
    } else if cause.0 == libc::EPERM && has_seccomp_filter {
        (
            "a seccomp filter denies them, most likely that of the enclosing container",
            "start the container with `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`, or \
             run on the host",
        )
    } else if cause.0 == libc::EINVAL || cause.0 == libc::ENOSYS {
        ("this kernel is too old or was built without them", "boot Linux 5.14 or later, built with `CONFIG_USER_NS=y`")
    } else {
        (
            "a security module, a `chroot` or the enclosing container denies them",
            "run on the host, or in a container that allows user namespaces",
        )
    }
}

fn check_seccomp() -> Result<(), Unsupported> {
    let actions = read_sysctl("kernel/seccomp/actions_avail").unwrap_or_default();
    if actions.split_whitespace().any(|action| action == "errno") {
        return Ok(());
    }
    Err(Unsupported {
        feature: "seccomp filters".to_owned(),
        reason: "the setting `kernel.seccomp.actions_avail` does not list `errno`".to_owned(),
        remedy: "boot a kernel that was built with `CONFIG_SECCOMP_FILTER=y`".to_owned(),
    })
}

/// Reads a setting by its path below `/proc/sys`.
fn read_sysctl(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cause: i32, setting: (&str, &str), status: &str, remedy: &str) {
        let sysctl = |name: &str| (name == setting.0).then(|| setting.1.to_owned());
        let (reason, found) = explain(Cause(cause), &sysctl, status);
        assert!(found.contains(remedy), "{reason}: {found}");
    }

    #[test]
    fn every_known_refusal_has_its_own_remedy() {
        check(libc::ENOSPC, ("user/max_user_namespaces", "0"), "", "max_user_namespaces=15000");
        check(libc::EPERM, ("kernel/unprivileged_userns_clone", "0"), "", "unprivileged_userns_clone=1");
        check(libc::EACCES, ("kernel/apparmor_restrict_unprivileged_userns", "1"), "", "AppArmor profile");
        check(libc::EPERM, ("", ""), "Seccomp:\t2\n", "seccomp=unconfined");
        check(libc::ENOSPC, ("", ""), "", "raise `user.max_user_namespaces`");
        check(libc::EINVAL, ("", ""), "", "CONFIG_USER_NS");
        check(libc::EPERM, ("user/max_user_namespaces", "0"), "", "container that allows user namespaces");
        check(libc::EPERM, ("", ""), "", "run on the host");
    }

    #[test]
    fn a_refusal_states_feature_reason_and_answer() {
        let unsupported = unsupported_namespaces("create a user namespace", Cause(libc::EPERM)).to_string();
        assert!(unsupported.starts_with("user namespaces unavailable: "), "{unsupported}");
        assert!(unsupported.ends_with(" (cannot create a user namespace: Operation not permitted (os error 1))"));
        let landlock = unsupported_landlock(3, 6).to_string();
        assert_eq!(landlock, "Landlock ABI 6 unavailable: this kernel supports Landlock ABI 3");
    }
}
