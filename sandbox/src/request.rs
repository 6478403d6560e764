//! What a process may see and use. Plain data: no file is touched here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// `argv[0]` is the path inside the sandbox of what is executed; it is never searched in `PATH`.
    pub argv: Vec<String>,
    /// The whole environment: nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Absolute, inside the sandbox.
    pub cwd: PathBuf,
    pub mounts: Vec<Mount>,
    pub network: Network,
    pub limits: Limits,
    pub isolation: Isolation,
    pub stdio: Stdio,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute, inside the sandbox; made if it is missing. Parents come before children.
    pub at: PathBuf,
    pub kind: MountKind,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum MountKind {
    /// A directory of the host, bound read-only, nosuid, nodev, however large it is.
    ReadOnly {
        source: PathBuf,
    },
    /// A directory of the host that the process fills; nosuid, nodev.
    Writable {
        source: PathBuf,
    },
    /// A tree in memory, made of copies of files below a directory of the host. The process owns all of it.
    Copied {
        source: PathBuf,
        /// By path below the mount, with `/` between names. Directories above them are made.
        entries: BTreeMap<String, TreeEntry>,
        /// When everything in it was modified, in seconds since 1970.
        modified: i64,
        /// Room for what the process adds.
        more_bytes: u64,
        more_inodes: u64,
    },
    Scratch {
        bytes: u64,
        inodes: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TreeEntry {
    /// `from` is the path below the source of a file that has this size.
    File {
        from: String,
        size_bytes: u64,
        executable: bool,
    },
    Symlink {
        target: String,
    },
    /// An empty one.
    Directory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// An own network namespace with only a loopback interface, which is up.
    Loopback,
    /// The host's network, for steps whose results are checked against a hash known before.
    Host,
}

/// How strong the walls are. The level is part of an action's key, so a weak result never stands in for a strong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// No namespaces: a cleared environment and a made directory. Only where the user allowed it by name.
    None,
    /// Namespaces and seccomp, but no Landlock. Only where the user allowed it by name.
    NoLandlock,
    Full,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Wall clock time; on expiry the process gets SIGINT, then `grace`, then everything in the sandbox is killed.
    pub timeout: Option<Duration>,
    pub grace: Duration,
    pub processes: u64,
    pub open_files: u64,
    /// Largest single file, in bytes.
    pub file_bytes: u64,
    /// Resident memory of the whole sandbox, in bytes, where cgroups are delegated.
    pub memory_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdio {
    /// stdin is empty; stdout and stderr go to the files given with the request.
    Captured,
    /// The caller's terminal.
    Inherited,
}
