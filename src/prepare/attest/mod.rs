//! Finds out what the result of a step was made of, from the graph that was carried out: `closure` walks the graph, `sources`
//! recognises files of the repository, `toolchain` the packages of the system tree and interpreters, and `distributions` the
//! wheels. The documents about it are made in the room `attest`.

mod closure;
mod distributions;
mod sources;
mod toolchain;

pub use closure::{Closures, StepClosure};
