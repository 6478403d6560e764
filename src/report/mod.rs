//! What people and machines get to read of a run: progress, summary lines, JUnit, JSON. Text is made by plain functions;
//! `console` and `junit::write` alone do I/O. Which tests run, and what their results mean, is decided in `goals`.

pub mod check_result;
pub mod console;
pub mod json;
pub mod junit;
mod pretty_json;
mod running;
pub mod summary;
pub mod test_result;

pub use console::Console;
pub use pretty_json::pretty;
pub use test_result::{Status, TestResult};
