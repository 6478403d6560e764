//! Whether a goal's findings are good or bad. Bad findings are no errors: the goal did what it was asked.

use crate::goals::Kind;

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
}
