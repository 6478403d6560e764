//! What stops a goal. What to do about it is the hint.

use std::path::PathBuf;

use crate::{base, config, engine, net, plan, python, store, target, toolchain};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Target(#[from] target::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Net(#[from] net::Error),
    #[error(transparent)]
    Engine(#[from] engine::Error),
    #[error(transparent)]
    Sandbox(#[from] waders_sandbox::Error),
    #[error(transparent)]
    Toolchain(#[from] toolchain::Error),
    #[error(transparent)]
    Sources(#[from] super::sources::Error),
    #[error(transparent)]
    Requirements(#[from] plan::requirements::Error),
    #[error(transparent)]
    Inference(#[from] python::settings::Error),
    #[error(transparent)]
    SourceRoots(#[from] python::source_root::Error),
    #[error(transparent)]
    Indexes(#[from] config::index::Error),
    #[error(transparent)]
    Path(#[from] base::rel_path::ParseError),
    #[error("cannot write `{path}`")]
    Output { path: PathBuf, source: std::io::Error },
    #[error("there is no home directory to keep the store in")]
    NoHome,
    #[error("cannot start threads")]
    Threads(#[source] std::io::Error),
    #[error("`--test-debug` works on one test file at a time, and the command line selects {0}")]
    DebugOne(usize),
    #[error("`{0}` is no shard: `k/N` with k below N")]
    Shard(String),
}
