//! The exit codes of the process. A test checks that `docs/exit-codes.md` contains the table below.

/// Why a run ends without the code of a goal or a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    Success,
    /// Whatever Pants ends with 1.
    Failure,
    CoverageTooLow,
    Unavailable,
    Bug,
    SandboxRefused,
    StoreUnwritable,
    WrongBytes,
    LockOutOfDate,
}

/// Code, number, when.
const TABLE: [(ExitCode, u8, &str); 9] = [
    (ExitCode::Success, 0, "The goals succeeded, or no target matched."),
    (
        ExitCode::Failure,
        1,
        "A failure, as in Pants: failed tests, findings, changes that `--check` would make, an unknown flag or goal, an \
         error in settings, BUILD files or arguments, or an interrupt by the user.",
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
        ExitCode::LockOutOfDate,
        78,
        "A lockfile is missing or out of date and must not be changed (`--frozen`, or `CI` is set).",
    ),
];

impl ExitCode {
    pub fn number(self) -> u8 {
        let row = TABLE.iter().find(|(code, ..)| *code == self);
        row.expect("every code has a row: tested below").1
    }
}

/// What the shell sees of a goal's or tool's own code: its low eight bits, so that -15 is 241, but never 0 for a
/// failure.
pub fn of_tool(code: i32) -> u8 {
    match (code, code as u8) {
        (0, _) => 0,
        (_, 0) => ExitCode::Failure.number(),
        (_, low) => low,
    }
}

/// The table as Markdown.
pub fn markdown() -> String {
    let mut out = "| code | when |\n|---|---|\n".to_owned();
    for (_, number, when) in TABLE {
        out += &format!("| {number} | {when} |\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_this_table() {
        let document = include_str!("../../docs/exit-codes.md");
        assert!(document.contains(&markdown()), "docs/exit-codes.md should hold:\n{}", markdown());
    }

    #[test]
    fn every_code_has_a_number_of_its_own() {
        let numbers: std::collections::BTreeSet<u8> = TABLE.iter().map(|(code, ..)| code.number()).collect();
        assert_eq!(numbers.len(), TABLE.len());
        assert_eq!(ExitCode::Success.number(), 0);
    }

    #[test]
    fn a_failure_never_looks_like_success() {
        for (code, shown) in [(0, 0), (1, 1), (-15, 241), (256, 1), (-256, 1), (i32::MIN, 1)] {
            assert_eq!(of_tool(code), shown, "{code}");
        }
    }
}
