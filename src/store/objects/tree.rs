//! A directory tree as a value. How it is encoded and where it lies on disk is elsewhere in this room.

use std::collections::BTreeMap;

use crate::base::{Digest, RelPath};

/// Every file, symlink and empty directory below a root. A directory that holds something is implied by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    pub nodes: BTreeMap<RelPath, Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    File { digest: Digest, executable: bool },
    Symlink { target: String },
    EmptyDirectory,
}

impl Node {
    /// Of a file.
    pub fn content(&self) -> Option<Digest> {
        match self {
            Node::File { digest, .. } => Some(*digest),
            _ => None,
        }
    }
}
