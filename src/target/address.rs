//! The name of one target: `src/app/main.py:lib`, `//:reqs#requests`, `src/app:dist@resolve=a`.

use std::collections::BTreeMap;

use crate::base::RelPath;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The directory of the BUILD file.
    pub dir: RelPath,
    /// For a target generated from a file: the file, relative to `dir`.
    pub file: Option<RelPath>,
    /// As written, or the directory's name.
    pub name: String,
    /// For a target generated from something else than a file: `requests` in `//:reqs#requests`.
    pub generated: Option<String>,
    pub parameters: BTreeMap<String, String>,
}
