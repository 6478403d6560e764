//! The command line: arguments, help, completions, exit codes, how errors look. What goals do is in `goals`.

pub mod alias;
pub mod args;
pub mod error;
pub mod flag;
pub mod invocation;

pub use args::Args;
pub use error::Error;
pub use invocation::Invocation;
