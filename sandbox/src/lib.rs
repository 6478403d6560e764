//! Runs one process in a Linux namespace sandbox that contains only what its request declares.
//!
//! A [`Request`] is plain data. A [`Spawner`] is a small single-threaded process that starts one *container* for each
//! request; an [`Outcome`] reports the exit and the resource usage. [`probe`] reports what this machine can isolate.
//! This crate knows nothing of Python, Pants, stores, caches or async runtimes.
//!
//! A container is one set of namespaces and the processes in it. Its first process, *init* (pid 1), sets the container
//! up and supervises it. The *leader* is the process that executes the request's program; the *step* is the leader and
//! every process that it starts. An *enclosing container* is one that the caller itself runs in.
//!
//! Modules, in the order in which a request passes through them: `spawner` (in the caller's process) sends the request
//! to `serve` (the spawner's process, which runs in the namespaces of `host`). `source` opens the mounts, `container`
//! passes them to an init, and `inside` is the code of init and leader. `step` is the program that does all of this on the worker of
//! a remote execution server.
//!
//! ```no_run
//! # fn example(request: waders_sandbox::Request) -> Result<(), Box<dyn std::error::Error>> {
//! waders_sandbox::spawner_main_if_asked(); // first statement of `main`
//! let spawner = waders_sandbox::Spawner::start()?; // once per run
//! let output = std::fs::File::create("output")?;
//! let running = spawner.run(&request, output.try_clone()?.into(), output.into())?;
//! let outcome = running.wait()?; // every process of the step has ended
//! # Ok(()) }
//! ```

#![warn(missing_docs, unreachable_pub)]

mod cgroup;
mod container;
mod enforceable;
mod error;
mod host;
mod inside;
mod kernel;
mod outcome;
mod request;
mod serve;
mod source;
mod spawner;
pub mod step;
mod surroundings;
mod sys;
mod trace;
mod wire;

pub use cgroup::MEMORY_LIMIT;
pub use error::{Cause, Error};
pub use kernel::{Kernel, Unsupported, probe};
pub use outcome::{Exit, Outcome};
pub use request::{Isolation, Limits, Mount, MountKind, Network, Request, Stdio, TreeEntry};
pub use spawner::{Handle, Running, Spawner, Streams, spawner_main_if_asked};
pub use surroundings::{Bind, REFUSED, Refused, Surroundings, change_surroundings_if_asked};
pub use trace::{FileAccess, Found, SocketAccess, SocketOperation, Trace, Uses};
