//! How much of a process's output is held in memory, shown and reported. The store has all of it, up to
//! a limit of `engine::local`, and what is left out is replaced by a line that names the file there.

/// Of each standard output and standard error that is only shown, in bytes.
pub const SHOWN_BYTES: usize = 1 << 20;

/// Of each standard output and standard error of a tool, in which findings are searched, in bytes.
pub const PARSED_BYTES: usize = 16 << 20;

/// Of each JUnit report that a test runner wrote, in bytes. A larger one is replaced by a generated report.
pub const JUNIT_BYTES: u64 = 32 << 20;
