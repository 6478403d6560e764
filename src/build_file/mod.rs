//! BUILD files: parses and evaluates their text into target declarations. Pure: this module reads no files and no
//! environment variables; a BUILD file reaches both through the functions in `Context`. The meaning of the declarations
//! is defined in `targets`.

mod builtins;
mod call;
pub mod decl;
pub mod diagnostic;
mod eval;
mod expr;
mod format;
pub mod interpret;
mod locate;
mod methods;
mod names;
mod operators;
pub mod quality_tools;
pub mod renamed;
mod source;
mod strings;
mod term;
pub mod value;

pub use crate::base::Severity;
pub use decl::{BuildFile, DefaultsCall, GROUP_PREFIX, RulesCall, TargetDecl};
pub use diagnostic::{Diagnostic, Topic};
pub use eval::{Context, evaluate};
pub use locate::locate;
pub use source::{MAX_BYTES, Source, may_affect_subdirectories};
pub use value::{Object, Value};

#[cfg(test)]
mod tests;
