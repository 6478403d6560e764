//! Shell code, its tests, and commands.

use super::core::{ENVIRONMENT, NO_SOURCES};
use super::field::{Field, Shape, addresses, dict, field, no_texts, off, skip, text, texts};
use super::python::RESTARTABLE;
use super::{Groups, Kind, many, one, plain};

const BACKEND: &str = "pants.backend.shell";

pub const KINDS: &[Kind] = &[
    plain("experimental_run_shell_command", "An older name of `run_shell_command`.", RUN).alone().of_backend(BACKEND),
    plain("experimental_shell_command", "An older name of `shell_command`.", COMMAND).alone().of_backend(BACKEND),
    plain("experimental_test_shell_command", "An older name of `test_shell_command`.", TEST)
        .alone()
        .of_backend(BACKEND),
    plain("run_shell_command", "A command that `run` starts.", RUN).alone().of_backend(BACKEND),
    plain("shell_command", "A command that makes files.", COMMAND).alone().of_backend(BACKEND),
    one("shell_source", "A file of shell code.", &[&[ENVIRONMENT.rare(), RESTARTABLE.rare()], SKIPS])
        .of_backend(BACKEND),
    many(
        "shell_sources",
        "shell_source",
        "A `shell_source` for each file.",
        &["*.sh", "!*_test.sh", "!test_*.sh", "!tests.sh"],
    )
    .of_backend(BACKEND),
    one("shunit2_test", "A file of tests for shunit2.", SHUNIT2).of_backend(BACKEND),
    many("shunit2_tests", "shunit2_test", "A `shunit2_test` for each file.", &["*_test.sh", "test_*.sh", "tests.sh"])
        .of_backend(BACKEND),
    plain("test_shell_command", "A command that is a test.", TEST).alone().of_backend(BACKEND),
];

const SKIPS: &[Field] = &[
    skip("skip_shellcheck", &["pants.backend.shell.lint.shellcheck"]),
    skip("skip_shfmt", &["pants.backend.shell.lint.shfmt"]),
];

const SHUNIT2: Groups = &[
    &[
        ENVIRONMENT.rare(),
        texts("extra_env_vars", "`NAME=value`, or `NAME` to copy it.").rare(),
        addresses("runtime_package_dependencies", "What is built and put beside it."),
        text("shell", "Which shell runs it; else its first line says."),
        off("skip_tests", "It is not run."),
        field("timeout", Shape::Number, "null", "Seconds."),
    ],
    SKIPS,
];

const LINE: Field = text("command", "What the shell runs.").needed();
pub const TIMEOUT: Field = field("timeout", Shape::Number, "30", "Seconds.");
pub const WORKDIR: Field = field("workdir", Shape::Text, "\".\"", "Where it runs: `.` is its directory, `/` the root.");
pub const LOG_OUTPUT: Field = off("log_output", "Show what it prints.");
pub const EXTRA_ENV_VARS: Field = texts("extra_env_vars", "`NAME=value`, or `NAME` to copy it.");
pub const EXECUTION: Field = addresses("execution_dependencies", "What it finds where it runs.");
const TOOLS: Field = no_texts("tools", "Programs of the machine that it needs.");

/// What a step leaves and what it is run with, whoever starts it.
pub const OUTPUTS: &[Field] = &[
    addresses("output_dependencies", "What those need who use its outputs.").raw(),
    no_texts("output_directories", "Directories that it leaves."),
    no_texts("output_files", "Files that it leaves."),
    field("root_output_directory", Shape::Text, "\"/\"", "Where paths of its outputs begin."),
    addresses("runnable_dependencies", "Programs that it may start."),
];

/// Of newer versions: shown where they are set.
pub const NEWER: &[Field] = &[
    text("cache_scope", "How long its result is kept.").rare(),
    dict("named_caches", "Directories that are kept.").rare(),
    text("outputs_match_mode", "Whether all outputs have to be there.").rare(),
    text("path_env_modify", "Where shims go in the path.").rare(),
    texts("workspace_invalidation_sources", "Files that make it run again.").rare(),
];

const COMMAND: Groups = &[
    &[NO_SOURCES, LINE, ENVIRONMENT, EXECUTION, EXTRA_ENV_VARS, LOG_OUTPUT, TIMEOUT, TOOLS, WORKDIR],
    OUTPUTS,
    NEWER,
    &[
        texts("outputs", "What it leaves; an older form.").rare(),
        text("stderr", "The file for its errors.").rare(),
        text("stdout", "The file for what it prints.").rare(),
    ],
];

const TEST: Groups = &[
    &[NO_SOURCES, LINE, ENVIRONMENT, EXECUTION, EXTRA_ENV_VARS, LOG_OUTPUT, TIMEOUT, TOOLS, WORKDIR],
    &[off("skip_tests", "It is not run.")],
    NEWER,
    RARE_OUTPUTS,
];

const RUN: Groups = &[
    &[LINE, EXECUTION, WORKDIR, addresses("runnable_dependencies", "Programs that it may start.")],
    &[
        ENVIRONMENT.rare(),
        EXTRA_ENV_VARS.rare(),
        LOG_OUTPUT.rare(),
        TIMEOUT.rare(),
        TOOLS.rare(),
        addresses("output_dependencies", "Means nothing here.").rare(),
        no_texts("output_directories", "Means nothing here.").rare(),
        no_texts("output_files", "Means nothing here.").rare(),
        texts("outputs", "Means nothing here.").rare(),
        text("root_output_directory", "Means nothing here.").rare(),
    ],
    NEWER,
];

const RARE_OUTPUTS: &[Field] = &[
    addresses("output_dependencies", "Means nothing here.").rare(),
    no_texts("output_directories", "Files that it leaves.").rare(),
    no_texts("output_files", "Files that it leaves.").rare(),
    texts("outputs", "Files that it leaves.").rare(),
    text("root_output_directory", "Where paths of its outputs begin.").rare(),
    addresses("runnable_dependencies", "Programs that it may start.").rare(),
];
