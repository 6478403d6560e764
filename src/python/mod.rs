//! Python: what sources import and who owns it, requirements, lockfiles and what of them a step needs, wheels and the
//! venv image they make. No process is started and nothing is fetched here.

pub mod environment;
pub mod index;
pub mod lockfile;
pub mod requirement;
pub mod resolve;
pub mod venv;
pub mod wheel;

pub use environment::Environment;
pub use requirement::Requirement;
