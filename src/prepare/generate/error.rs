//! Why the files of a target cannot be generated as it is declared. What a command or a generator says itself is the error of its step.

use crate::targets::{Address, OutputError};

/// Why the files of a target cannot be generated.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    #[error("{} needs its own files: {}", .0[0], describe(.0))]
    Cycle(Vec<Address>),
    #[error("{target}: files of the type `{kind}` cannot be generated yet")]
    Unsupported { target: Address, kind: String },
    #[error(
        "{target}: the files of {generated} are not known before they are generated, so that no `setup.py` can list them"
    )]
    UnknownFiles { target: Address, generated: Address },
    #[error("{target}: {source}")]
    Output { target: Address, source: OutputError },
    #[error("{target} declares no outputs")]
    NoOutputs { target: Address },
    #[error("{target}: invalid value `{written}` of the field `{field}`: {why}")]
    Invalid { target: Address, field: &'static str, written: String, why: String },
    #[error("{target} needs a source root for `{file}`")]
    NoSourceRoot { target: Address, file: crate::base::RelPath },
    #[error("{target}: `{name}` is imported from several files, one of them `{file}`")]
    SameImport { target: Address, file: crate::base::RelPath, name: crate::base::RelPath },
    #[error("{target}: {source}")]
    Address { target: Address, source: crate::targets::dependencies::Error },
    #[error("{target}: `{runnable}` is a `{kind}`, which does not run in a sandbox")]
    NotRunnable { target: Address, runnable: String, kind: String },
    #[error("{target}: the system tree has no program `{program}`")]
    NoProgram { target: Address, program: String, advice: String },
    #[error("{target}: {first} and {second} need different interpreters")]
    SeveralInterpreters { target: Address, first: String, second: String },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::UnknownFiles { .. } => {
                "name the files in `output_files` instead of their directory, or write a `setup.py` and set `generate_setup=False`"
            }
            Error::NoSourceRoot { .. } => "add the directory to `root_patterns` in the section `[source]`",
            Error::NoOutputs { .. } => "name what the command writes in `output_files` or `output_directories`",
            Error::NotRunnable { kind, .. } if kind == "jvm_artifact" || kind == "deploy_jar" => {
                "Waders has no Java: run the program with a `system_binary` named `java`, and its file as an execution dependency"
            }
            Error::Address { source, .. } => return source.hint().map(str::to_owned),
            Error::NoProgram { advice, .. } => return Some(advice.clone()),
            Error::SeveralInterpreters { .. } => "give them the same `interpreter_constraints`",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn describe(cycle: &[Address]) -> String {
    cycle.iter().map(ToString::to_string).collect::<Vec<_>>().join(" -> ")
}
