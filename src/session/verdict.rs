//! The verdict of a goal. Findings of a tool are a verdict, not an error: the goal did what it was asked to do.

use crate::base::ErrorKind;
use crate::report::{ExitCode, exit_code};

/// How a goal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The goal succeeded.
    Good,
    /// With the exit code of the tool.
    Bad(i32),
    /// The goal could not do its work, for one kind of reason, which is already reported.
    Prevented(ErrorKind),
    /// A repeated step has another result, which is already reported.
    NotReproduced,
    /// The user stopped it.
    Interrupted,
}

impl Verdict {
    /// The verdict of a tool with this exit code: 0 is good.
    pub fn from_exit_code(code: i32) -> Verdict {
        if code == 0 { Verdict::Good } else { Verdict::Bad(code) }
    }

    /// The exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Good => ExitCode::Success.number(),
            Verdict::Bad(code) => exit_code::from_tool(code),
            Verdict::Prevented(kind) => ExitCode::from(kind).number(),
            Verdict::NotReproduced => ExitCode::NotReproducible.number(),
            Verdict::Interrupted => ExitCode::Failure.number(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_error_kind_or_of_the_tool() {
        let codes = [Verdict::Good, Verdict::Bad(30), Verdict::Bad(-15), Verdict::Prevented(ErrorKind::Store)];
        assert_eq!(codes.map(Verdict::exit_code), [0, 30, 241, 73]);
    }
}
