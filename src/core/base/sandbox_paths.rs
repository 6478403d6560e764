//! The paths that every sandbox has. Steps, their images and the code that reads their output agree on them here.

/// A private copy of the input root; the working directory of a step is here or below.
pub const SRC: &str = "/src";
/// What a step leaves here is captured as its output.
pub const OUT: &str = "/out";
/// The venv image: a tool, the requirements of targets, or both.
pub const DEPS: &str = "/deps";
/// The scripts of the venv image.
pub const DEPS_BIN: &str = "/deps/bin";
/// The interpreter of the venv image.
pub const DEPS_PYTHON: &str = "/deps/bin/python";
/// Interpreters that are not part of the system tree.
pub const TOOLCHAIN: &str = "/toolchain";
/// The requirements of sources, for a checker whose own packages are at [`DEPS`].
pub const REQUIREMENTS: &str = "/requirements";
/// The directory of the file [`SOURCE_ROOTS_FILE`].
pub const SOURCE_ROOTS: &str = "/source-roots";
/// The name of the file with the directories of first-party code, one on each line. Interpreters read it when they start, so that it
/// also applies to processes that a step starts without the variables of the step.
pub const SOURCE_ROOTS_FILE: &str = "paths";
/// The requirements and source roots of programs that a command starts, in a directory for each.
pub const PROGRAMS: &str = "/programs";
/// The programs that a command finds on its `PATH`, besides those of the system tree.
pub const PROGRAMS_BIN: &str = "/programs-bin";
/// The incremental state that a step starts from.
pub const STATE: &str = "/state";
/// The program that starts services, and the directories that they start from.
pub const SERVICES: &str = "/services";
/// Scratch space, discarded with the sandbox.
pub const TMP: &str = "/tmp";
/// POSIX shared memory, discarded with the sandbox.
pub const SHARED_MEMORY: &str = "/dev/shm";
/// The home directory, empty and discarded with the sandbox.
pub const HOME: &str = "/home/waders";

/// A file or directory of the repository, as a step sees it. `path` is relative to the build root.
pub fn in_src(path: &str) -> String {
    if path.is_empty() { SRC.to_owned() } else { format!("{SRC}/{path}") }
}

/// A file or directory of the output, as a step sees it. `path` is relative to the output root.
pub fn in_out(path: &str) -> String {
    format!("{OUT}/{path}")
}

/// A program of the venv image.
pub fn in_deps_bin(program: &str) -> String {
    format!("{DEPS_BIN}/{program}")
}
