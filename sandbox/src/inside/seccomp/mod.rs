//! The seccomp filter: which system calls a step may not make. The list is `rules`, the instructions are `program`.

mod program;
mod rules;

pub use program::Program;
