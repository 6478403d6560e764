//! The trace of an audited step: the files, programs and addresses that its system calls named. Plain data. It is evidence
//! rather than a barrier: a program that changes a path in memory while the kernel reads it is recorded with either path.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Everything that a step named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// By absolute path inside the sandbox, without `.`, `..` and empty names. Bytes that are not UTF-8 are replaced.
    pub files: BTreeMap<String, FileAccess>,
    /// Sorted.
    pub sockets: BTreeSet<SocketAccess>,
    /// The number of system calls that were reported.
    pub calls: u64,
    /// The number of system calls that a signal ended before they were recorded, at least. Those of killed processes count,
    /// too. Any other returned EINTR, which calls on files do not return without an audit, unless the handler of the signal
    /// restarts calls: seccomp_unotify(2). So if this is not 0, the audit may have changed the result.
    pub interrupted: u64,
    /// The number of accesses that are missing here, because the trace reached its largest size.
    pub lost: u64,
}

/// What a step did with a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAccess {
    /// Everything that it did.
    pub uses: Uses,
    /// What was there before the first access.
    pub found: Found,
    /// The path without symbolic links, where it differs from the path that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real: Option<String>,
}

/// A set of ways to use a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uses(u8);

impl Uses {
    /// Opened for reading. A directory that is opened is listed.
    pub const READ: Uses = Uses(1);
    /// Asked for metadata or permissions.
    pub const PROBED: Uses = Uses(2);
    /// Executed as a program. The programs that the kernel starts for it, an interpreter or the dynamic linker, are not
    /// recorded.
    pub const EXECUTED: Uses = Uses(4);
    /// Created, replaced or opened for writing.
    pub const WRITTEN: Uses = Uses(8);

    /// Whether every use in `other` is in this set.
    pub fn contains(self, other: Uses) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Uses {
    type Output = Uses;

    fn bitor(self, other: Uses) -> Uses {
        Uses(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Uses {
    fn bitor_assign(&mut self, other: Uses) {
        self.0 |= other.0;
    }
}

/// What a path led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link whose target does not exist.
    Link,
    /// A device, socket or pipe.
    Other,
    /// Nothing.
    Absent,
    /// Not examined: the contents of `/proc` and `/dev` depend on who asks.
    Unknown,
}

/// A use of a socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SocketAccess {
    /// What was done.
    pub operation: SocketOperation,
    /// `192.0.2.1:80`, `[2001:db8::1]:80`, `unix:/path`, `unix:@abstract`; for a new socket its family: `inet`, `inet6`, `unix`,
    /// `netlink`.
    pub address: String,
}

/// An operation on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketOperation {
    /// socket(2)
    Create,
    /// bind(2)
    Bind,
    /// connect(2)
    Connect,
    /// sendto(2), sendmsg(2) or sendmmsg(2) with an address
    Send,
}
