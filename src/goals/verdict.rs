//! Whether a goal's findings are good or bad. Bad findings are no errors: the goal did what it was asked.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// With the exit code that tells the kind of finding.
    Bad(u8),
    /// The user stopped it.
    Interrupted,
}
