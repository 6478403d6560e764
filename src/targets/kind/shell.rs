//! Target types of shell code, shell tests and shell commands.

use super::core::{ENVIRONMENT, NO_SOURCES};
use super::field::{
    Field, Shape, addresses, empty_string_list, field, flag_off, skip, string, string_dict, string_list,
};
use super::python::RESTARTABLE;
use super::{FieldGroups, Kind, file_generator, plain, single_source};

const BACKEND: &str = "pants.backend.shell";

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    plain("experimental_run_shell_command", "An older name of `run_shell_command`.", RUN)
        .without_dependencies()
        .in_backend(BACKEND),
    plain("experimental_shell_command", "An older name of `shell_command`.", COMMAND)
        .without_dependencies()
        .in_backend(BACKEND),
    plain("experimental_test_shell_command", "An older name of `test_shell_command`.", TEST)
        .without_dependencies()
        .in_backend(BACKEND),
    plain("run_shell_command", "A shell command for the goal `run`.", RUN).without_dependencies().in_backend(BACKEND),
    plain("shell_command", "A shell command that generates files.", COMMAND).without_dependencies().in_backend(BACKEND),
    single_source("shell_source", "A shell script.", &[&[ENVIRONMENT.hidden(), RESTARTABLE.hidden()], SKIPS])
        .in_backend(BACKEND),
    file_generator(
        "shell_sources",
        "shell_source",
        "A `shell_source` for each file.",
        &["*.sh", "!*_test.sh", "!test_*.sh", "!tests.sh"],
    )
    .in_backend(BACKEND),
    single_source("shunit2_test", "A test file for shUnit2.", SHUNIT2).in_backend(BACKEND),
    file_generator(
        "shunit2_tests",
        "shunit2_test",
        "A `shunit2_test` for each file.",
        &["*_test.sh", "test_*.sh", "tests.sh"],
    )
    .in_backend(BACKEND),
    plain("test_shell_command", "A shell command that is a test.", TEST).without_dependencies().in_backend(BACKEND),
];

const SKIPS: &[Field] = &[
    skip("skip_shellcheck", &["pants.backend.shell.lint.shellcheck"]),
    skip("skip_shfmt", &["pants.backend.shell.lint.shfmt"]),
];

const SHUNIT2: FieldGroups = &[
    &[
        ENVIRONMENT.hidden(),
        string_list("extra_env_vars", "Environment variables: `NAME=value`, or `NAME` to copy the value.").hidden(),
        addresses("runtime_package_dependencies", "Packages to build and to place next to the test."),
        string("shell", "The shell that runs the test; by default that of the shebang line."),
        flag_off("skip_tests", "Do not run the test."),
        field("timeout", Shape::Number, "null", "Timeout in seconds."),
    ],
    SKIPS,
];

const LINE: Field = string("command", "The shell command.").required();
/// The field `timeout`.
pub(super) const TIMEOUT: Field = field("timeout", Shape::Number, "30", "Timeout in seconds.");
/// The field `workdir`.
pub(super) const WORKDIR: Field = field(
    "workdir",
    Shape::String,
    "\".\"",
    "The working directory: `.` is the directory of the BUILD file, `/` the build root.",
);
/// The field `log_output`.
pub(super) const LOG_OUTPUT: Field = flag_off("log_output", "Log the output of the command.");
/// The field `extra_env_vars`.
pub(super) const EXTRA_ENV_VARS: Field =
    string_list("extra_env_vars", "Environment variables: `NAME=value`, or `NAME` to copy the value.");
/// The field `execution_dependencies`.
pub(super) const EXECUTION: Field = addresses("execution_dependencies", "Targets whose files the command needs.");
const TOOLS: Field = empty_string_list("tools", "Programs of this machine that the command needs.");

/// Fields about outputs and programs, common to all types that run commands.
pub(super) const OUTPUTS: &[Field] = &[
    addresses("output_dependencies", "Dependencies of the targets that use the outputs.").raw(),
    empty_string_list("output_directories", "Directories that the command writes."),
    empty_string_list("output_files", "Files that the command writes."),
    field("root_output_directory", Shape::String, "\"/\"", "The root of the output paths."),
    addresses("runnable_dependencies", "Programs that the command may run."),
];

/// Fields of newer Pants versions, whose defaults are not verified. They are shown only if they are set.
pub(super) const NEWER: &[Field] = &[
    string("cache_scope", "How long the result is cached.").hidden(),
    string_dict("experimental_named_caches", "Empty directories, by the names of caches of Pants.").hidden(),
    string_dict("named_caches", "An older name of `experimental_named_caches`.").hidden(),
    string("outputs_match_mode", "Which outputs must exist; by default all.").hidden(),
    string("path_env_modify", "Where to insert shims in `PATH`.").hidden(),
    string_list("workspace_invalidation_sources", "Files whose changes invalidate the cached result.").hidden(),
];

const COMMAND: FieldGroups = &[
    &[NO_SOURCES, LINE, ENVIRONMENT, EXECUTION, EXTRA_ENV_VARS, LOG_OUTPUT, TIMEOUT, TOOLS, WORKDIR],
    OUTPUTS,
    NEWER,
    &[
        string_list("outputs", "An older form of the output fields.").hidden(),
        string("stderr", "The file to which standard error is written.").hidden(),
        string("stdout", "The file to which standard output is written.").hidden(),
    ],
];

const TEST: FieldGroups = &[
    &[NO_SOURCES, LINE, ENVIRONMENT, EXECUTION, EXTRA_ENV_VARS, LOG_OUTPUT, TIMEOUT, TOOLS, WORKDIR],
    &[flag_off("skip_tests", "Do not run the test.")],
    NEWER,
    RARE_OUTPUTS,
];

const RUN: FieldGroups = &[
    &[LINE, EXECUTION, WORKDIR, addresses("runnable_dependencies", "Programs that the command may run.")],
    &[
        ENVIRONMENT.hidden(),
        EXTRA_ENV_VARS.hidden(),
        LOG_OUTPUT.hidden(),
        TIMEOUT.hidden(),
        TOOLS.hidden(),
        addresses("output_dependencies", "Ignored for this type.").hidden(),
        empty_string_list("output_directories", "Ignored for this type.").hidden(),
        empty_string_list("output_files", "Ignored for this type.").hidden(),
        string_list("outputs", "Ignored for this type.").hidden(),
        string("root_output_directory", "Ignored for this type.").hidden(),
    ],
    NEWER,
];

const RARE_OUTPUTS: &[Field] = &[
    addresses("output_dependencies", "Ignored for this type.").hidden(),
    empty_string_list("output_directories", "Files that the command writes.").hidden(),
    empty_string_list("output_files", "Files that the command writes.").hidden(),
    string_list("outputs", "Files that the command writes.").hidden(),
    string("root_output_directory", "The root of the output paths.").hidden(),
    addresses("runnable_dependencies", "Programs that the command may run.").hidden(),
];
