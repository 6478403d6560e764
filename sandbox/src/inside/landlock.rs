//! Landlock on top of the mounts: the same promise, kept by another part of the kernel.
//!
//! Reading and executing is allowed everywhere, since the root holds only what the request declares; writing only
//! where the request says so. Abstract sockets and signals do not leave the sandbox (ABI 6). TCP is left to the network
//! namespace, in which a loopback must work.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::kernel::lacks_landlock;
use crate::{Error, MountKind, Request};

/// The newest ABI whose rights we know; older kernels get what they have of it.
const NEWEST: ABI = ABI::V6;

pub fn restrict(request: &Request) -> Result<(), Error> {
    let all = AccessFs::from_all(NEWEST);
    let use_file = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(|rules| rules.create())
        .map_err(refused)?;
    rules = allow(rules, "/", AccessFs::from_read(NEWEST))?;
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
    let status = rules.restrict_self().map_err(refused)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(Error::Lacking(lacks_landlock(0, 1))),
        _ => Ok(()),
    }
}

fn allow(rules: RulesetCreated, path: &str, access: BitFlags<AccessFs>) -> Result<RulesetCreated, Error> {
    let fd = PathFd::new(path).map_err(refused)?;
    rules.add_rule(PathBeneath::new(fd, access)).map_err(refused)
}

/// Shell scripts open `/dev/stderr` by name, which then is the caller's capture file. A memory file takes no rule and
/// needs none (landlock(7)).
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

fn refused(error: impl std::error::Error) -> Error {
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    Error::Lacking(crate::Lack {
        what: "Landlock".to_owned(),
        why,
        remedy: "allow the isolation level `no-landlock` by name, and report this".to_owned(),
    })
}
