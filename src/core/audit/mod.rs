//! The audit of steps: what a step read, where that comes from, and what it tried to reach without being given it. Pure: how a
//! step is observed is in the sandbox, and which target owns a file is known in the crate `waders`.

pub mod classify;
pub mod paths;
pub mod reaches;
pub mod read_set;

pub use classify::{Classified, Origin};
pub use reaches::{Reach, reaches};
pub use read_set::{Access, Found, ReadSet, Socket, SocketOperation, Use};
