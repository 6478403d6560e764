//! One process in a Linux namespace sandbox that holds only what its request declares.
//!
//! The words: a [`Request`] is plain data, [`probe`] says what this kernel can isolate, a [`Spawner`] is a small
//! single-threaded process that clones a child for each request, an [`Outcome`] is what became of it.
//! Nothing here knows Python, Pants, stores, caches or an async runtime.
//!
//! On the way from a request to its outcome: `spawner` (the caller's side) sends it to `serve` (the spawner's process,
//! which stands on `ground`), which opens its mounts (`source`) and gives them to a `cell`; `inside` is the cell's own
//! life, from user to exec.
//!
//! ```no_run
//! # fn example(request: waders_sandbox::Request) -> Result<(), Box<dyn std::error::Error>> {
//! waders_sandbox::spawner_main_if_asked(); // first in `main`
//! let spawner = waders_sandbox::Spawner::start()?; // once a run
//! let output = std::fs::File::create("output")?;
//! let running = spawner.run(&request, output.try_clone()?.into(), output.into())?;
//! let outcome = running.wait()?; // nothing of the step is left
//! # Ok(()) }
//! ```

mod cell;
mod cgroup;
mod error;
mod ground;
mod inside;
mod kernel;
mod outcome;
mod request;
mod serve;
mod source;
mod spawner;
mod sys;
mod wire;

pub use error::{Cause, Error};
pub use kernel::{Kernel, Lack, probe};
pub use outcome::{Exit, Outcome};
pub use request::{Isolation, Limits, Mount, MountKind, Network, Request, Stdio, TreeEntry};
pub use spawner::{Handle, Running, Spawner, spawner_main_if_asked};
