//! BUILD files: text to target declarations. Pure: no file is read and nothing is looked up here.

pub mod value;

pub use value::Value;
