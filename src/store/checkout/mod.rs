//! What is known of one checkout of a repository: stat data and digests of its files, the contents of its directories,
//! and traces of earlier runs. Losing any of it costs time, never correctness.

pub mod directory_cache;
mod pack;
mod record_file;
pub mod stat_cache;
pub mod traces;
