//! The command line: arguments, help, completions and exit codes. What goals do is in `goals`.

pub mod alias;
pub mod args;
mod complete;
pub mod completions;
pub mod dispatch;
pub mod error;
pub mod flag;
pub mod help;
pub mod invocation;
pub mod man;
mod pytest_words;
#[cfg(test)]
mod settings_page;
pub mod topics;
pub mod troubleshooting;

pub use args::Args;
pub use error::Error;
pub use invocation::Invocation;
