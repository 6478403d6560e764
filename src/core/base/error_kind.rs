//! The kinds of errors that the caller of the process can tell apart, and errors with their causes. Each room's error type answers
//! `kind()`; `report` gives each kind an exit code.

/// What the caller of this process needs to tell apart. An error type without `kind()` contains only mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A mistake in settings, BUILD files or arguments, or a failure for which Pants exits with 1.
    Mistake,
    /// A download failed.
    Unavailable,
    /// A defect of Waders.
    Bug,
    /// This machine cannot isolate steps.
    Sandbox,
    /// The store cannot be used.
    Store,
    /// Bytes do not have the expected hash, or an archive is damaged.
    WrongBytes,
    /// A signature is missing, wrong, or of a key that is not trusted.
    Untrusted,
    /// A lockfile is missing or out of date, and must not be changed.
    Lock,
}

/// The message of an error followed by those of its causes.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", error_chain(source)),
        None => error.to_string(),
    }
}
