//! What the machine enforces around a command. It is part of every action key: a result obtained under weaker isolation or
//! other limits never stands in for another.

use std::collections::BTreeMap;

/// The environment in which commands run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The isolation level: `full`, `no-landlock` or `none`.
    pub isolation: &'static str,
    pub limits: Limits,
}

/// Limits of one step. A step that meets one can behave differently, so all of them are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The size of each scratch file system, and the room for additions to the sources.
    pub scratch_bytes: u64,
    pub scratch_inodes: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// The largest file that the step may write.
    pub file_bytes: u64,
    /// Memory of all processes together, where one is set.
    pub memory_bytes: Option<u64>,
}

impl Platform {
    /// As platform properties of the Remote Execution API, by name.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let limits = &self.limits;
        let mut properties = BTreeMap::from([
            ("isolation".to_owned(), self.isolation.to_owned()),
            ("limit:scratch-bytes".to_owned(), limits.scratch_bytes.to_string()),
            ("limit:scratch-inodes".to_owned(), limits.scratch_inodes.to_string()),
            ("limit:processes".to_owned(), limits.processes.to_string()),
            ("limit:open-files".to_owned(), limits.open_files.to_string()),
            ("limit:file-bytes".to_owned(), limits.file_bytes.to_string()),
        ]);
        properties.extend(limits.memory_bytes.map(|bytes| ("limit:memory-bytes".to_owned(), bytes.to_string())));
        properties
    }
}
