//! A directory tree as a value. `directory` encodes trees, and `trees` stores them.

use std::collections::BTreeMap;

use crate::base::{Digest, RelPath};

/// All files, symbolic links and empty directories below a root. Other directories are implied by their contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Nodes by path.
    pub nodes: BTreeMap<RelPath, Node>,
}

/// A file, a symbolic link or an empty directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A file.
    File {
        /// The digest of the blob.
        digest: Digest,
        /// Whether its owner can execute it.
        executable: bool,
    },
    /// A symbolic link.
    Symlink {
        /// The target as it is stored in the link.
        target: String,
    },
    /// A directory without entries.
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

    /// The digest of a file; `None` for other nodes.
    pub fn content(&self) -> Option<Digest> {
        match self {
            Node::File { digest, .. } => Some(*digest),
            _ => None,
        }
    }
}
