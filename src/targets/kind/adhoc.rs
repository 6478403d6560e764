//! Target types `adhoc_tool` and `system_binary`.

use super::core::{ENVIRONMENT, NO_SOURCES};
use super::field::{Field, Shape, addresses, empty_string_list, field, flag_off, string, string_list};
use super::shell::{EXECUTION, EXTRA_ENV_VARS, LOG_OUTPUT, NEWER, OUTPUTS, TIMEOUT, WORKDIR};
use super::{FieldGroups, Kind, plain};

const BACKEND: &str = "pants.backend.experimental.adhoc";

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    plain("adhoc_tool", "Runs a program that generates files.", &[TOOL, OUTPUTS, NEWER])
        .without_dependencies()
        .in_backend(BACKEND),
    plain("code_quality_tool", "A linter, fixer or formatter of the repository.", QUALITY)
        .without_dependencies()
        .in_backend(BACKEND),
    plain("system_binary", "A program installed on this machine.", BINARY).without_dependencies().in_backend(BACKEND),
];

const RUNNABLE: Field = field("runnable", Shape::Address, "null", "The address of the program to run.").required();

const TOOL: &[Field] = &[
    NO_SOURCES,
    empty_string_list("args", "The arguments of the program."),
    ENVIRONMENT,
    EXECUTION,
    EXTRA_ENV_VARS,
    LOG_OUTPUT,
    RUNNABLE,
    string("stderr", "The file to which standard error is written."),
    string("stdout", "The file to which standard output is written."),
    TIMEOUT,
    WORKDIR,
];

const QUALITY: FieldGroups = &[&[
    empty_string_list("args", "The arguments of the program, which the files follow."),
    EXECUTION,
    empty_string_list("file_glob_exclude", "Globs of the files that the tool leaves out."),
    string_list("file_glob_include", "Globs of the files that the tool works on.").required(),
    RUNNABLE,
    addresses("runnable_dependencies", "Programs that the tool may run."),
]];

const BINARY: FieldGroups = &[&[
    string("binary_name", "The name of the program.").required(),
    empty_string_list("extra_search_paths", "More directories to search for the program."),
    string("fingerprint", "A regular expression that the program's output must match, such as its version."),
    empty_string_list("fingerprint_args", "The arguments with which the program prints that output."),
    addresses("fingerprint_dependencies", "Programs that it needs to print that output."),
    flag_off("log_fingerprinting_errors", "Log why a candidate program was rejected.").hidden(),
]];
