//! The exit codes of the process. A test checks that `docs/exit-codes.md` contains the table below.

use crate::base::ErrorKind;

/// The exit codes of Waders itself, as opposed to those of goals and tools. [`markdown`] explains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    /// The goals succeeded.
    Success,
    /// Every failure for which Pants exits with 1.
    Failure,
    /// The tests passed, but too little code is covered.
    CoverageTooLow,
    /// A download failed.
    Unavailable,
    /// An internal error.
    Bug,
    /// This machine cannot isolate steps as required.
    SandboxRefused,
    /// The store cannot be written.
    StoreUnwritable,
    /// Bytes do not have the expected hash.
    WrongBytes,
    /// A signature is not trusted.
    Untrusted,
    /// A lockfile would have to change and must not.
    LockOutOfDate,
    /// A repeated step has another result.
    NotReproducible,
}

/// Each code with its number and its meaning.
const TABLE: [(ExitCode, u8, &str); 11] = [
    (ExitCode::Success, 0, "The goals succeeded, or no target matched."),
    (
        ExitCode::Failure,
        1,
        "A failure, as in Pants: failed tests, findings, changes that `--check` would make, an unknown flag or goal, an \
         error in settings, BUILD files or arguments, or an interrupt by the user (SIGINT or SIGTERM).",
    ),
    (ExitCode::CoverageTooLow, 2, "The tests passed, but coverage is below `[coverage-py] fail_under`."),
    (ExitCode::Unavailable, 69, "A download failed: the network, the host or the file is unavailable."),
    (ExitCode::Bug, 70, "A bug in Waders."),
    (
        ExitCode::SandboxRefused,
        71,
        "This machine cannot provide the required isolation. The message names what is missing and the remedy.",
    ),
    (
        ExitCode::StoreUnwritable,
        73,
        "The store cannot be written: the disk is full, the file system is read-only, or permission is denied.",
    ),
    (
        ExitCode::WrongBytes,
        76,
        "Downloaded or stored bytes do not have the expected hash, or an archive is damaged or malicious.",
    ),
    (
        ExitCode::Untrusted,
        77,
        "`attest verify`: the attestation is not signed, signed with another key, or was changed after it was signed.",
    ),
    (
        ExitCode::LockOutOfDate,
        78,
        "A lockfile is missing or out of date and must not be changed (`--frozen`, or `CI` is set).",
    ),
    (
        ExitCode::NotReproducible,
        79,
        "`verify` or `replay` found a difference: a repeated step has another result, or the results of another machine differ.",
    ),
];

impl From<ErrorKind> for ExitCode {
    fn from(kind: ErrorKind) -> ExitCode {
        match kind {
            ErrorKind::Mistake => ExitCode::Failure,
            ErrorKind::Unavailable => ExitCode::Unavailable,
            ErrorKind::Bug => ExitCode::Bug,
            ErrorKind::Sandbox => ExitCode::SandboxRefused,
            ErrorKind::Store => ExitCode::StoreUnwritable,
            ErrorKind::WrongBytes => ExitCode::WrongBytes,
            ErrorKind::Untrusted => ExitCode::Untrusted,
            ErrorKind::Lock => ExitCode::LockOutOfDate,
        }
    }
}

impl ExitCode {
    /// The number that the process exits with.
    pub fn number(self) -> u8 {
        let row = TABLE.iter().find(|(code, ..)| *code == self);
        row.expect("every code has a row: tested below").1
    }
}

/// Converts the exit code of a goal or tool to that of the process: its low eight bits (wait(2)), so that -15 is 241, but
/// never 0 for a failure.
pub fn from_tool(code: i32) -> u8 {
    match (code, code as u8) {
        (0, _) => 0,
        (_, 0) => ExitCode::Failure.number(),
        (_, low) => low,
    }
}

/// The numbers with their meanings, as Markdown.
pub fn rows() -> impl Iterator<Item = (u8, &'static str)> {
    TABLE.iter().map(|(_, number, when)| (*number, *when))
}

/// Renders the table of exit codes as Markdown.
pub fn markdown() -> String {
    let mut out = "| code | when |\n|---|---|\n".to_owned();
    for (number, when) in rows() {
        out += &format!("| {number} | {when} |\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_contains_this_table() {
        let document = include_str!("../../docs/exit-codes.md");
        assert!(document.contains(&markdown()), "docs/exit-codes.md should contain:\n{}", markdown());
    }

    #[test]
    fn the_numbers_are_distinct() {
        let numbers: std::collections::BTreeSet<u8> = TABLE.iter().map(|(code, ..)| code.number()).collect();
        assert_eq!(numbers.len(), TABLE.len());
        assert_eq!(ExitCode::Success.number(), 0);
    }

    #[test]
    fn a_failure_never_exits_with_zero() {
        for (code, shown) in [(0, 0), (1, 1), (-15, 241), (256, 1), (-256, 1), (i32::MIN, 1)] {
            assert_eq!(from_tool(code), shown, "{code}");
        }
    }
}
