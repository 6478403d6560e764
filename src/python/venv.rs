//! The venv image: what stands at `/deps` in a sandbox.

/// Where the image is mounted.
pub const ROOT: &str = "/deps";
/// The image's interpreter, for the first line of scripts.
pub const PYTHON: &str = "/deps/bin/python";
