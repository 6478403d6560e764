//! The isolation and the limits that the machine enforces. They are part of every action key, so that a result obtained with
//! weaker isolation or other limits is never used in place of another. The enforcement is in the crate `sandbox`.

use std::collections::BTreeMap;

/// The environment in which commands run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The isolation level: `full`, `no-landlock` or `none`.
    pub isolation: &'static str,
    /// The limits of each step.
    pub limits: Limits,
    /// A name that separates cached results, if the user sets one.
    pub cache_namespace: Option<String>,
}

/// The limits of one step. All are hashed, because a step that reaches a limit can behave differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The size of each scratch file system, and the space for additions to the sources.
    pub scratch_bytes: u64,
    /// The number of files in each scratch file system, and of additions to the sources.
    pub scratch_inodes: u64,
    /// The number of processes and threads.
    pub processes: u64,
    /// The number of open files of one process.
    pub open_files: u64,
    /// The size of the largest file that the step may write.
    pub file_bytes: u64,
    /// The memory of all processes together, if it is limited.
    pub memory_bytes: Option<u64>,
    /// The private writable memory of each process, if it is limited.
    pub process_memory_bytes: Option<u64>,
}

impl Platform {
    /// The platform properties of the Remote Execution API that represent this platform, by name.
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
        properties.extend(self.cache_namespace.iter().map(|name| ("cache-namespace".to_owned(), name.clone())));
        for (name, limit) in
            [("memory-bytes", limits.memory_bytes), ("process-memory-bytes", limits.process_memory_bytes)]
        {
            properties.extend(limit.map(|bytes| (format!("limit:{name}"), bytes.to_string())));
        }
        properties
    }

    /// A platform for tests, with a different value for each limit.
    #[cfg(any(test, feature = "testing"))]
    pub fn sample() -> Platform {
        let limits = Limits {
            scratch_bytes: 1,
            scratch_inodes: 2,
            processes: 3,
            open_files: 4,
            file_bytes: 5,
            memory_bytes: None,
            process_memory_bytes: None,
        };
        Platform { isolation: "full", limits, cache_namespace: None }
    }
}
