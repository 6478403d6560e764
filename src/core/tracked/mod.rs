//! The files and environment variables that a run read while it planned, each read recorded. A later run that would read
//! the same can reuse the result without planning again (a verifying trace; Mokhov, Mitchell and Peyton Jones, "Build
//! Systems à la Carte", 2018).
//!
//! Code that plans reads files through a `Tracker` only; `tests/it/tidy.rs` enforces this. What a plan depends on besides
//! files and variables must be part of the caller's key, or the run is marked untraceable. How traces are stored is in
//! `store`.

mod file_stamp;
mod tracker;
mod variables;
mod watch;

pub use file_stamp::FileStamp;
pub use tracker::{Observation, Tracker};
pub use variables::Variables;
pub use watch::wait_for_change;
