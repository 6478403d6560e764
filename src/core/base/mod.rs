//! Types that every room uses: digests, relative paths, globs, positions in text. No I/O here.

pub mod digest;
mod error_kind;
pub mod glob;
pub mod line_count;
pub mod rel_path;
pub mod sandbox_paths;
mod severity;
pub mod text;
pub mod wire;

pub use digest::Digest;
pub use error_kind::ErrorKind;
pub use rel_path::RelPath;
pub use severity::Severity;
