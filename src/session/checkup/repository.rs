//! The repository: git, and the lockfile of toolchains.

use super::Check;
use crate::base::ErrorKind;
use crate::session::toolchains::LOCK;
use crate::session::{Context, Session, git};
use crate::toolchain::Lock;

pub(super) fn check(session: &Session) -> Vec<Check> {
    let context = &session.context;
    let version = match git::version(&context.build_root) {
        Ok(version) => Check::fine("git", version),
        Err(error) => Check::warning("git", error, "install git: `--changed-since` and versions from tags need it"),
    };
    [version].into_iter().chain(toolchains(context)).collect()
}

/// What `waders.lock` pins. `None` outside of a repository.
fn toolchains(context: &Context) -> Option<Check> {
    let is_settings = |name: &&str| context.tracker.is_file(&context.build_root.join(name));
    let has_settings = ["pants.toml", "waders.toml", "pyproject.toml"].iter().any(is_settings);
    let path = context.build_root.join(LOCK);
    let lock = match Lock::load(&context.tracker, &path) {
        Ok(lock) => lock,
        Err(error) => return Some(Check::from_error(LOCK, error.kind(), &error, error.hint())),
    };
    if lock.records().is_empty() {
        let advice =
            "run a goal that has steps, such as `test`, once without `--frozen` and `CI`, then commit the file";
        let missing = "no toolchain is locked yet";
        return has_settings.then(|| match context.is_frozen() {
            true => Check::failed(LOCK, ErrorKind::Lock, missing, Some(advice.to_owned())),
            false => Check::warning(LOCK, missing, advice),
        });
    }
    let records = lock.records().iter();
    let pinned = records.map(|record| format!("{} {} ({})", record.name, record.version, record.provider.name()));
    Some(Check::fine(LOCK, pinned.collect::<Vec<_>>().join(", ")))
}
