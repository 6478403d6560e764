//! Requests: everything that a process may see and use. Plain data: this file never touches the file system.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One program to run and the complete contents of its sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// `argv[0]` is the path of the program inside the sandbox; `PATH` is not searched. Not empty, no null bytes.
    pub argv: Vec<String>,
    /// The whole environment: nothing is inherited. Names are not empty and contain no `=`.
    pub env: BTreeMap<String, String>,
    /// The working directory, an absolute path inside the sandbox.
    pub cwd: PathBuf,
    /// Mounted in this order, so parents come before children. At most 249 of them may have a source. Empty at
    /// [`Isolation::None`].
    pub mounts: Vec<Mount>,
    /// Which network the process can reach.
    pub network: Network,
    /// Limits on time and resources.
    pub limits: Limits,
    /// The level to apply. A machine that cannot provide it refuses the request.
    pub isolation: Isolation,
    /// Where standard input comes from.
    pub stdio: Stdio,
    /// Whether the outcome has a [`Trace`](crate::Trace). Needs namespaces, so not at [`Isolation::None`].
    pub audit: bool,
}

/// One directory of the sandbox's file system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// The mount point, an absolute path inside the sandbox. Missing directories are created.
    pub at: PathBuf,
    /// The contents.
    pub kind: MountKind,
}

/// The contents of a [`Mount`]. Every kind is nosuid and nodev. A `source` is an absolute path of a directory on the
/// host and not a symbolic link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum MountKind {
    /// A directory of the host, bound read-only. The cost does not depend on its size.
    ReadOnly {
        /// The directory to bind.
        source: PathBuf,
    },
    /// A directory of the host that the process may write to.
    Writable {
        /// The directory to bind. If the spawner runs as root, it and its contents are given to the step's user.
        source: PathBuf,
    },
    /// A tree in memory (tmpfs) of copies of host files. The process owns all of it.
    Copied {
        /// The directory that contains the files to copy.
        source: PathBuf,
        /// The tree by path relative to the mount point, with `/` between names. Parent directories are created.
        entries: BTreeMap<String, TreeEntry>,
        /// Whether entries are created in descending rather than ascending order of their paths. It decides the order in which the
        /// step lists a directory, because tmpfs lists the newest entry first.
        reversed: bool,
        /// Whether the tree looks like a [`MountKind::ReadOnly`] one: it cannot be changed, and files have the mode 0444 or 0555.
        read_only: bool,
        /// Modification time of all entries except symbolic links, in seconds since 1970-01-01 UTC.
        modified: i64,
        /// Space in bytes for what the process adds.
        more_bytes: u64,
        /// Number of inodes for what the process adds.
        more_inodes: u64,
    },
    /// An empty tree in memory (tmpfs).
    Scratch {
        /// Its size in bytes.
        bytes: u64,
        /// The number of its inodes.
        inodes: u64,
    },
}

/// An entry of a [`MountKind::Copied`] tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TreeEntry {
    /// A regular file.
    File {
        /// The path of the original below the mount's source; ignored if the size is 0.
        from: String,
        /// The size in bytes. A shorter original is an error.
        size_bytes: u64,
        /// The BLAKE3 hash in hexadecimal. An original with another content is an error. `None` accepts any content.
        blake3: Option<String>,
        /// Mode 0755 if true, otherwise 0644.
        executable: bool,
    },
    /// A symbolic link.
    Symlink {
        /// The link's text, which is not checked.
        target: String,
    },
    /// An empty directory. Directories that contain entries have no entry of their own.
    Directory,
}

/// Which network a step can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// A new network namespace in which only the loopback interface exists, and is up.
    Loopback,
    /// The host's network. For steps whose result is verified against a hash known in advance.
    Host,
}

/// How strongly a step is isolated; a stronger level compares greater. The level is part of an action's key, so a weak
/// result never replaces a strong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// No namespaces: a cleared environment, limits, and no surviving process. Only where the user selected it by name.
    None,
    /// Namespaces and seccomp, but no Landlock. Only where the user selected it by name.
    NoLandlock,
    /// Namespaces, seccomp and Landlock.
    Full,
}

/// Limits on the time and resources of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Wall clock time. On expiry the leader receives SIGINT; after `grace` every process of the step is killed.
    pub timeout: Option<Duration>,
    /// How long the step may clean up after SIGINT.
    pub grace: Duration,
    /// Number of processes and threads (RLIMIT_NPROC); not enforced at [`Isolation::None`].
    pub processes: u64,
    /// Number of open descriptors of one process (RLIMIT_NOFILE).
    pub open_files: u64,
    /// Size of the largest single file, in bytes (RLIMIT_FSIZE).
    pub file_bytes: u64,
    /// Resident memory of the whole sandbox, in bytes. Requires a control group that is delegated to the caller: without
    /// one, the request is refused.
    pub memory_bytes: Option<u64>,
    /// Private writable memory of each process, in bytes (RLIMIT_DATA), which every machine can enforce. A process that
    /// reaches the limit cannot allocate more, but is not killed.
    pub process_memory_bytes: Option<u64>,
}

/// Where standard input comes from. Standard output and error always go to the files passed with the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdio {
    /// Standard input is empty.
    Captured,
    /// Standard input is passed with the request, or else it is the caller's.
    Inherited,
    /// Standard input is a terminal that is passed with the request. It becomes the controlling terminal of the step, which
    /// can then have foreground and background processes. It must not be the terminal of the caller's own session.
    Terminal,
}
