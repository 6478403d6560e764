//! The errors of this room and their hints.

use crate::base::ErrorKind;

/// Why services cannot be used as they are described.
#[allow(missing_docs, reason = "the message of each variant explains its fields")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name without a description; `near` is a similar name.
    #[error("there is no service `{name}`")]
    Unknown { name: String, near: Option<String>, known: Vec<String> },
    /// A description without a required key.
    #[error("the service `{name}` has no `{key}` in `[services.{name}]`")]
    Incomplete { name: String, key: &'static str },
    /// An entry of `fill` that cannot be used.
    #[error("the service `{name}` cannot be filled with `{entry}`: {why}")]
    Fill { name: String, entry: String, why: String },
    /// Services that a test cannot have together.
    #[error("the services `{first}` and `{second}` have the same port {port}")]
    SamePort { first: String, second: String, port: u16 },
    /// Services whose variables a test cannot tell apart.
    #[error("the services `{first}` and `{second}` set the variable `{variable}` to different values")]
    SameVariable { first: String, second: String, variable: String },
}

impl Error {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Mistake
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Unknown { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Error::Unknown { known, name, .. } => Some(format!(
                "the services are {}; describe others in `[services.{name}]` of `waders.toml`",
                known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )),
            Error::Incomplete { .. } => {
                Some("the documentation of services, `docs/services.md`, describes the keys".to_owned())
            }
            Error::Fill { .. } => {
                Some("`fill` contains SQL files, and addresses or files of programs that `run` can run".to_owned())
            }
            Error::SameVariable { second, .. } => {
                Some(format!("set another variable in `[services.{second}.variables]`"))
            }
            Error::SamePort { second, .. } => Some(format!("set another `port` in `[services.{second}]`")),
        }
    }
}
