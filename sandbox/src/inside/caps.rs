//! Capabilities: a step has none and cannot obtain any.

use caps::CapSet;
use nix::sys::prctl;

use crate::Error;
use crate::error::Context;

/// Takes effect at the next exec only, so it can be called long before [`drop_all`].
pub(super) fn drop_bounding() -> Result<(), Error> {
    clear(CapSet::Bounding)
}

pub(super) fn drop_all() -> Result<(), Error> {
    prctl::set_no_new_privs().context("set no_new_privs")?;
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        clear(set)?;
    }
    Ok(())
}

fn clear(set: CapSet) -> Result<(), Error> {
    caps::clear(None, set)
        .map_err(|_| std::io::Error::last_os_error())
        .with_context(|| format!("clear the {set:?} capabilities"))
}
