//! Faults of the disk and of the machine, for tests. The file `fault` in the root of a store makes the nth operation on its files
//! fail, or ends the process or the power there. Release builds contain none of this: every function is empty.
//!
//! The file has one line, `<kind> <operation> <seed>`. The kinds are the names of error numbers, such as `ENOSPC`; `short`, a
//! write that takes only a part; `kill`, which kills the process; and `cut`, which loses what was not synced, as a power cut
//! does, and kills the process. With a `+` after the kind, every later operation fails, too. When the fault occurs, it is
//! recorded in the file `fault-occurred`; otherwise the file `fault-count` has the number of operations when the store is closed.

#[cfg(debug_assertions)]
mod injected;
#[cfg(debug_assertions)]
mod power;

/// An operation on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Open,
    Read,
    Write,
    SetMetadata,
    CreateDirectory,
    Link,
    Rename,
    Remove,
    Sync,
}

#[cfg(debug_assertions)]
pub(super) use injected::{arm, at_most, finish, reach};
#[cfg(debug_assertions)]
pub(super) use power::{created, exchanged, linked, removed, renamed, replacing, synced, synced_all, written};

#[cfg(not(debug_assertions))]
mod none {
    use std::io;
    use std::path::Path;

    use super::Operation;

    #[inline]
    pub(in crate::store) fn arm(_: &Path) {}
    #[inline]
    pub(in crate::store) fn finish() {}

    #[inline]
    pub(in crate::store) fn reach(_: Operation, _: &Path) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    pub(in crate::store) fn at_most(len: usize) -> usize {
        len
    }

    #[inline]
    pub(in crate::store) fn created(_: &Path) {}
    #[inline]
    pub(in crate::store) fn written(_: &Path) {}
    #[inline]
    pub(in crate::store) fn linked(_: &Path) {}
    #[inline]
    pub(in crate::store) fn replacing(_: &Path) {}
    #[inline]
    pub(in crate::store) fn renamed(_: &Path, _: &Path) {}
    #[inline]
    pub(in crate::store) fn exchanged(_: &Path, _: &Path) {}
    #[inline]
    pub(in crate::store) fn removed(_: &Path) {}
    #[inline]
    pub(in crate::store) fn synced(_: &Path) {}
    #[inline]
    pub(in crate::store) fn synced_all() {}
}
#[cfg(not(debug_assertions))]
pub(super) use none::{
    arm, at_most, created, exchanged, finish, linked, reach, removed, renamed, replacing, synced, synced_all, written,
};
