//! Python packages: requirements, lockfiles, which files of a lockfile a step needs, wheels, and the venv image that they
//! make. The functions that the engine is given by name are here too. No process is started and nothing is fetched here.

pub mod environment;
pub mod index;
pub mod lockfile;
pub mod recipes;
pub mod requirement;
pub mod resolve;
pub mod unpackers;
pub mod venv;
pub mod wheel;

pub use environment::Environment;
pub use requirement::Requirement;
