//! BUILD files: text to target declarations. Pure: no file is read and nothing is looked up here; what a file may ask
//! of the world comes in by `Context`. What the declarations mean is `target`'s.

mod builtins;
mod call;
pub mod decl;
pub mod diagnostic;
mod eval;
mod expr;
mod format;
pub mod interpret;
mod methods;
mod names;
mod operators;
pub mod renamed;
mod source;
mod strings;
mod term;
pub mod value;

pub use crate::base::Severity;
pub use decl::{BuildFile, DefaultsCall, GROUP_PREFIX, RulesCall, TargetDecl};
pub use diagnostic::{Diagnostic, Topic};
pub use eval::{Context, evaluate};
pub use source::{MAX_BYTES, Source, may_hand_down};
pub use value::{Object, Value};

#[cfg(test)]
mod tests;
