//! What the process says to its caller at the end. The table here is the one in `docs/exit-codes.md`.

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
    (ExitCode::Success, 0, "Everything asked for was done, or nothing matched."),
    (
        ExitCode::Failure,
        1,
        "Something failed, as in Pants: tests, findings, changes that `--check` found, an unknown flag or goal, a mistake \
         in settings, BUILD files or arguments, or an interrupt by the user.",
    ),
    (ExitCode::CoverageTooLow, 2, "Tests passed, but coverage is below `[coverage-py] fail_under`."),
    (ExitCode::Unavailable, 69, "Something to fetch could not be had: no network, no such host, no such file."),
    (ExitCode::Bug, 70, "A fault of Waders itself."),
    (
        ExitCode::SandboxRefused,
        71,
        "This machine cannot isolate steps as the settings want it; the message says what is missing and the remedy.",
    ),
    (ExitCode::StoreUnwritable, 73, "The store could not be written: no space, read-only, no permission."),
    (
        ExitCode::WrongBytes,
        76,
        "Fetched or kept bytes do not have the hash that was known before, or are a damaged or hostile archive.",
    ),
    (
        ExitCode::LockOutOfDate,
        78,
        "A lockfile is missing or does not fit, and may not be changed (`--frozen`, or `CI` is set).",
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
