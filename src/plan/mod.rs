//! Turns targets and tools into actions: the inputs of each process, and its command line. Nothing is run here: that is the
//! engine's part.

pub mod batches;
pub mod check_run;
pub mod config_files;
pub mod coverage_run;
pub mod distribution_run;
pub mod documentation_run;
pub mod environment;
pub mod generate_run;
pub mod generated_setup;
pub mod interpret_run;
pub mod interpreter;
pub mod lock_run;
pub mod package_markers;
pub mod pex_run;
pub mod program;
pub mod program_run;
pub mod protoc_run;
pub mod python_list_run;
pub mod requirements;
pub mod service_run;
pub mod test_run;
pub mod thrift_run;
pub mod tool_run;
pub mod venv;
pub mod version_run;
