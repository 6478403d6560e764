//! The recorded state of one checkout of a repository: stat data and digests of its files, the entries of its directories,
//! traces and records of earlier runs. Losing it costs time but never makes a result wrong.

pub(super) mod directory_cache;
mod path_records;
pub(super) mod record_file;
pub(super) mod runs;
pub(super) mod stat_cache;
pub(super) mod traces;
