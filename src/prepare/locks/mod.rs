//! Lockfiles: which ones a repository has (`known`), how their requirements are resolved (`project`, `resolver`, `sources`) through
//! a proxy to the package indexes (`gateway`), and how they are written (`generate`), pinned where there is no resolve (`pinned`)
//! and merged (`merge`). The formats are in `packaging/lockfile`.

mod gateway;
pub mod generate;
mod known;
pub mod merge;
mod optional_lists;
mod pinned;
mod project;
mod resolver;
mod sources;

pub(super) use pinned::{repository_lock, tool_lock};
