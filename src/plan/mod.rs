//! Targets and tools to actions: what each process gets to see, and how it is called. Computes; starts nothing.

pub mod batches;
pub mod check_run;
pub mod config_files;
pub mod coverage_run;
pub mod environment;
pub mod interpret_run;
pub mod interpreter;
pub mod landmarks;
pub mod lock_run;
pub mod program;
pub mod requirements;
pub mod test_run;
pub mod tool_run;
pub mod venv;
