//! Programs that make files, and programs of the machine.

use super::core::{ENVIRONMENT, NO_SOURCES};
use super::field::{Field, Shape, addresses, field, no_texts, off, text};
use super::shell::{EXECUTION, EXTRA_ENV_VARS, LOG_OUTPUT, NEWER, OUTPUTS, TIMEOUT, WORKDIR};
use super::{Groups, Kind, plain};

const BACKEND: &str = "pants.backend.experimental.adhoc";

pub const KINDS: &[Kind] = &[
    plain("adhoc_tool", "A program that makes files.", &[TOOL, OUTPUTS, NEWER]).alone().of_backend(BACKEND),
    plain("system_binary", "A program of the machine.", BINARY).alone().of_backend(BACKEND),
];

const TOOL: &[Field] = &[
    NO_SOURCES,
    no_texts("args", "Its arguments."),
    ENVIRONMENT,
    EXECUTION,
    EXTRA_ENV_VARS,
    LOG_OUTPUT,
    field("runnable", Shape::Address, "null", "The program.").needed(),
    text("stderr", "The file for its errors."),
    text("stdout", "The file for what it prints."),
    TIMEOUT,
    WORKDIR,
];

const BINARY: Groups = &[&[
    text("binary_name", "Its name.").needed(),
    no_texts("extra_search_paths", "Where else to look for it."),
    text("fingerprint", "What it has to print about itself, as a regular expression."),
    no_texts("fingerprint_args", "Arguments with which it prints that."),
    addresses("fingerprint_dependencies", "Programs that it needs for that."),
    off("log_fingerprinting_errors", "Show why it was passed over.").rare(),
]];
