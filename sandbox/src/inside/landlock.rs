//! Landlock rules, which repeat the guarantees of the mounts in an independent part of the kernel.
//!
//! Reading and executing is allowed everywhere, since the root contains only what the request declares. Writing is
//! allowed only where the request says so. Abstract sockets and signals cannot cross the sandbox's boundary (ABI 6).
//! TCP is not restricted here: the network namespace does that, and its loopback must work.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::kernel::unsupported_landlock;
use crate::{Error, MountKind, Request};

/// The newest ABI whose rights are used here. An older kernel applies the subset that it knows.
const NEWEST_ABI: ABI = ABI::V6;

pub(super) fn restrict(request: &Request) -> Result<(), Error> {
    let all = AccessFs::from_all(NEWEST_ABI);
    let use_file = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST_ABI)))
        .and_then(|rules| rules.create())
        .map_err(landlock_error)?;
    rules = allow(rules, "/", AccessFs::from_read(NEWEST_ABI))?;
    rules = allow(rules, "/dev", use_file | AccessFs::ReadDir | AccessFs::IoctlDev)?;
    rules = allow(rules, "/dev/shm", all)?;
    rules = allow(rules, "/proc", use_file | AccessFs::ReadDir)?;
    for mount in &request.mounts {
        if !matches!(mount.kind, MountKind::ReadOnly { .. }) {
            rules = allow(rules, &mount.at.to_string_lossy(), all)?;
        }
    }
    for output in [std::io::stdout().as_fd(), std::io::stderr().as_fd()] {
        rules = allow_reopening(rules, output, use_file)?;
    }
    let status = rules.restrict_self().map_err(landlock_error)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(Error::Unsupported(unsupported_landlock(0, 1))),
        _ => Ok(()),
    }
}

fn allow(rules: RulesetCreated, path: &str, access: BitFlags<AccessFs>) -> Result<RulesetCreated, Error> {
    let fd = PathFd::new(path).map_err(landlock_error)?;
    rules.add_rule(PathBeneath::new(fd, access)).map_err(landlock_error)
}

/// Shell scripts open `/dev/stderr` by name, which is then the caller's capture file. A memfd does not accept a rule
/// and needs none (landlock(7)).
fn allow_reopening(
    rules: RulesetCreated,
    fd: BorrowedFd<'_>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Error> {
    let file = fd.try_clone_to_owned().map(File::from);
    let Some(file) = file.ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file())) else {
        return Ok(rules);
    };
    let with_rule = rules.try_clone().ok().and_then(|rules| rules.add_rule(PathBeneath::new(file, access)).ok());
    Ok(with_rule.unwrap_or(rules))
}

fn landlock_error(error: impl std::error::Error) -> Error {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    Error::Unsupported(crate::Unsupported {
        feature: "Landlock".to_owned(),
        reason,
        remedy: "select the weaker isolation level `no-landlock` by name, and report this error as a bug".to_owned(),
    })
}
