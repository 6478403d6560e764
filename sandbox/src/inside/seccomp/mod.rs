//! The seccomp filters: one denies system calls to a step, the other reports them for an audit. The policy of the first
//! is in `rules`, that of the second in `notify`, their compiler in `program`.

mod notify;
mod program;
mod rules;

pub(super) use notify::{CALLS, Call, Place, Purpose};
pub(crate) use program::SeccompProgram;
