//! From targets to actions: one pipeline for each family of goals. Which targets, and what becomes of the results, is
//! decided in `goals`.

pub mod calls;
pub mod check;
pub mod interpreters;
pub mod locks;
mod packages;
pub mod test;
