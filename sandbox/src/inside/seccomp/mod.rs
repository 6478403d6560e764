//! The seccomp filter, which denies system calls to a step. The policy is in `rules`, its compiler in `program`.

mod program;
mod rules;

pub(crate) use program::SeccompProgram;
