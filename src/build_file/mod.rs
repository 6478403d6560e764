//! BUILD files: text to target declarations. Pure: no file is read and nothing is looked up here; what a file may ask
//! of the world comes in by `Context`. What the declarations mean is `target`'s.

mod builtins;
mod call;
pub mod decl;
pub mod diagnostic;
mod eval;
mod expr;
mod format;
mod methods;
mod operators;
pub mod renamed;
mod source;
mod strings;
mod term;
pub mod value;

pub use decl::{BuildFile, DefaultsCall, GROUP_PREFIX, RulesCall, TargetDecl};
pub use diagnostic::{Diagnostic, Severity};
pub use eval::{Context, evaluate};
pub use source::{MAX_BYTES, Source};
pub use value::Value;

#[cfg(test)]
mod tests;
