//! Whether a goal's findings are good or bad. Bad findings are no errors: the goal did what it was asked.

use crate::report::{ExitCode, exit_code};
use crate::session::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// With the exit code that tells the kind of finding.
    Bad(i32),
    /// What it was asked could not be done at all, for one kind of reason, which is already told.
    Prevented(Kind),
    /// The user stopped it.
    Interrupted,
}

impl Verdict {
    /// Of a tool: 0 is good.
    pub fn of_exit_code(code: i32) -> Verdict {
        if code == 0 { Verdict::Good } else { Verdict::Bad(code) }
    }

    /// What the process ends with after it.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Good => ExitCode::Success.number(),
            Verdict::Bad(code) => exit_code::from_tool(code),
            Verdict::Prevented(kind) => kind.exit_code().number(),
            Verdict::Interrupted => ExitCode::Failure.number(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_ends_with_the_code_of_its_trouble_or_of_its_tool() {
        let codes = [Verdict::Good, Verdict::Bad(30), Verdict::Bad(-15), Verdict::Prevented(Kind::Store)];
        assert_eq!(codes.map(Verdict::exit_code), [0, 30, 241, 73]);
    }
}
