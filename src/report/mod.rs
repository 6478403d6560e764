//! Reports about a run for people and programs: progress, summary lines, JUnit, JSON, SARIF, exit codes. Plain functions
//! render the text; only `console` and `junit::write` do I/O. Goals decide which tests run and what their results mean.

pub mod audit;
pub mod code_quality;
pub mod console;
pub mod diagnostics;
mod escapes;
pub mod exit_code;
pub mod finding;
pub mod github;
pub mod graph;
pub mod hyperlink;
pub mod ignored_warnings;
pub mod json;
pub mod junit;
pub mod limits;
pub mod log;
pub mod missing;
pub mod otlp;
pub mod packages;
mod pretty_json;
mod progress;
pub mod publications;
pub mod replay;
pub mod run_list;
mod running;
pub mod sarif;
mod size;
mod status;
pub mod step_summary;
pub mod summary;
pub mod test_case;
pub mod test_result;
pub mod test_totals;
pub mod timeline;
pub mod tool_result;
pub mod tool_summary;
pub mod verification;
pub mod why;

pub use console::Console;
pub use diagnostics::{Diagnostics, Message};
pub use exit_code::ExitCode;
pub use ignored_warnings::IgnoredWarnings;
pub use pretty_json::pretty;
pub use size::size;
pub use status::Status;
pub use test_result::TestResult;
