//! Capabilities: none are left, and none can come back.

use caps::CapSet;
use nix::sys::prctl;

use crate::Error;
use crate::error::Doing;

/// Binds at the next exec only, so it may run long before [`drop_all`].
pub fn drop_bounding() -> Result<(), Error> {
    clear(CapSet::Bounding)
}

pub fn drop_all() -> Result<(), Error> {
    prctl::set_no_new_privs().doing("give up new privileges")?;
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        clear(set)?;
    }
    Ok(())
}

fn clear(set: CapSet) -> Result<(), Error> {
    caps::clear(None, set)
        .map_err(|_| std::io::Error::last_os_error())
        .doing_with(|| format!("clear the {set:?} capabilities"))
}
