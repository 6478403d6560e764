//! What every room uses: digests, relative paths, globs, positions in text. The only I/O is in `replace_file`.

pub mod digest;
mod error_kind;
pub mod glob;
pub mod line_count;
pub mod rel_path;
mod replace_file;
pub mod sandbox_paths;
mod severity;
pub mod text;
pub mod wire;

pub use digest::Digest;
pub use error_kind::{ErrorKind, error_chain};
pub use rel_path::RelPath;
pub use replace_file::{UNFINISHED_PREFIX, replace_file, replace_report, write_temporary};
pub use severity::Severity;
