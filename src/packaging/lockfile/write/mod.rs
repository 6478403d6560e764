//! Writes lockfiles, each in its format: the text of a new lockfile from what a resolver found. Pure: where the text goes is
//! decided in `prepare/locks`. The same input gives the same bytes.

mod header;
mod pex;
mod pylock;
mod requirements_txt;
pub mod spelling;
#[cfg(test)]
mod tests;
mod uv;

use crate::packaging::Environment;

use super::Format;
use super::resolution::Resolution;

pub use header::{Generated, pretty};
pub use requirements_txt::entries as requirement_entries;

/// A lockfile to write.
#[derive(Clone, Copy, Debug)]
pub struct NewLock<'a> {
    /// What was resolved.
    pub resolution: &'a Resolution,
    /// What it was resolved from.
    pub generated: &'a Generated,
    /// The text of the lockfile that is replaced.
    pub old: Option<&'a str>,
    /// The interpreter that a single file of a package has to suit, where a format lists one file first.
    pub environment: &'a Environment,
    /// Names for directories, with the absolute paths that they stand for.
    pub path_mappings: &'a [(String, String)],
    /// The path from the directory of the lockfile to the build root, such as `../..`, and the absolute build root.
    pub root: (&'a str, &'a str),
    /// Whether the metadata is in a file of its own.
    pub has_sidecar: bool,
    /// The packages whose files are listed again although their version did not change; `None` for all of them.
    pub upgraded: Option<&'a [String]>,
}

/// The text of the lockfile.
pub fn text(new: &NewLock<'_>, format: Format) -> String {
    match format {
        Format::Pex => pex::text(new),
        Format::Uv => uv::text(new),
        Format::Pylock => pylock::text(new),
        Format::Poetry => unreachable!("`generate-lockfiles` refuses lockfiles of Poetry"),
        Format::Requirements => requirements_txt::text(new),
    }
}
