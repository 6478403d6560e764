//! The options of `test`.

use super::entry::Kind::Bool;
use super::entry::{Entry, choice, entry, inert, integer, off, on, text_or, texts};

/// The options of `test`.
pub(super) const TEST: &[Entry] = &[
    off(
        "debug",
        "Run test files one after another in the foreground, with access to the terminal. Results are not cached.",
    ),
    off("debug_adapter", "Run the test under the debug adapter."),
    off("force", "Run tests again even if their results are cached."),
    off(
        "fail_fast",
        "Stop at the first test file that fails: no other process starts, and running ones are interrupted. This option is specific to Waders.",
    ),
    choice("output", &["all", "failed", "none"], "\"failed\"", "The tests whose output is shown."),
    off("use_coverage", "Measure coverage."),
    off("open_coverage", "Open the coverage report."),
    off("report", "Write JUnit reports to the report directory."),
    text_or("report_dir", "\"{distdir}/test/reports\"", "The directory for JUnit reports."),
    text_or("shard", "\"\"", "Run one of several parts of the tests: `k/n` is part k of n, with k from 0."),
    on("timeouts", "Apply timeouts."),
    integer("timeout_default", "null", "The timeout in seconds of test files that do not set one."),
    integer("timeout_maximum", "null", "The maximum timeout in seconds of any test file."),
    integer("attempts_default", "1", "The maximum number of attempts for a test file that fails."),
    integer("batch_size", "128", "The maximum number of test files with the same batch tag in one process."),
    texts("extra_env_vars", "Environment variables: `NAME=value`, or `NAME` for the value of the current environment.")
        .used_in_sandbox(),
    texts(
        "extra_inputs",
        "Files that every test can read in addition to its dependencies, as globs. This option is specific to Waders.",
    ),
    off(
        "extra_inputs_by_project",
        "A test can read only those extra inputs that belong to its project (the nearest directory with a `setup.py` or with a `pyproject.toml` that names a project) or to one that this requires, without other tests. This option is specific to Waders.",
    ),
    off("json", "Print the results as JSON. This option is specific to Waders."),
    entry(
        "show_rerun_command",
        Bool,
        "null",
        "Show the command that runs the failed tests again. By default, it is shown if `CI` is set.",
    ),
    inert("experimental_report_test_result_info", Bool),
    integer(
        "slowest",
        "3",
        "The number of tests that are listed as the slowest, if they took at least one second. This option is specific to Waders.",
    ),
    off(
        "keep_service_logs",
        "Write the logs of services to `extra-output/services/` of each test. This option is specific to Waders.",
    ),
    off("show_all_batch_targets", "List all files of a batch."),
];
