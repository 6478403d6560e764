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
    /// A canonical text, different for different nodes.
    pub fn to_text(&self) -> String {
        match self {
            Node::File { digest, executable: false } => format!("file {digest}"),
            Node::File { digest, executable: true } => format!("executable {digest}"),
            Node::Symlink { target } => format!("symlink {target}"),
            Node::EmptyDirectory => "directory".to_owned(),
        }
    }

    /// Of a file.
    pub fn content(&self) -> Option<Digest> {
        match self {
            Node::File { digest, .. } => Some(*digest),
            _ => None,
        }
    }
}
