//! Python packages: requirements, lockfiles, the selection of locked files, wheels, venv images, and environments for this
//! machine. Also contains the unpackers and recipes that the engine calls by name. Does not start processes and does not download files.

pub mod archive;
pub mod build_failure;
pub mod environment;
pub mod host_venv;
pub mod index;
pub mod lockfile;
pub mod metadata;
pub mod oci;
pub mod platform;
pub mod project;
pub mod project_version;
pub mod recipes;
pub mod requirement;
pub mod resolve;
pub mod root_changes;
pub mod unpackers;
pub mod venv;
pub mod wheel;

pub use environment::Environment;
pub use requirement::Requirement;
