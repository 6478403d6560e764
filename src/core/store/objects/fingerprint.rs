//! The SHA-256 digest of a tree of files, as a Remote Execution API server with SHA-256 computes it. Pants prints the same digest.
//! Nothing is stored.

use std::collections::BTreeMap;

use prost::Message;
use sha2::{Digest, Sha256};

use crate::base::RelPath;
use crate::store::objects::directory::wire;

/// The digest of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedFile {
    /// The hash in hexadecimal.
    pub sha256: String,
    /// The size of the content.
    pub size_bytes: u64,
    /// Whether its owner can execute it.
    pub executable: bool,
}

impl HashedFile {
    /// The digest of a file with this content.
    pub fn from_content(content: &[u8], executable: bool) -> HashedFile {
        HashedFile { sha256: hex(content), size_bytes: content.len() as u64, executable }
    }
}

/// The digest of a tree of these files, in hexadecimal. Paths that cannot form a tree, such as `a` and `a/b`, are not an error.
pub fn fingerprint(files: &BTreeMap<RelPath, HashedFile>) -> String {
    let mut top = Dir::default();
    for (path, file) in files {
        top.add(path.as_str(), file);
    }
    hex(&top.encode())
}

#[derive(Default)]
struct Dir<'a> {
    files: BTreeMap<&'a str, &'a HashedFile>,
    dirs: BTreeMap<&'a str, Dir<'a>>,
}

impl<'a> Dir<'a> {
    fn add(&mut self, path: &'a str, file: &'a HashedFile) {
        match path.split_once('/') {
            Some((dir, rest)) => self.dirs.entry(dir).or_default().add(rest, file),
            None => drop(self.files.insert(path, file)),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let digest = |hash: String, size_bytes: u64| {
            Some(wire::Digest { hash, size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX) })
        };
        let file = |(name, file): (&&str, &&HashedFile)| wire::FileNode {
            name: (*name).to_owned(),
            digest: digest(file.sha256.clone(), file.size_bytes),
            is_executable: file.executable,
        };
        let dir = |(name, dir): (&&str, &Dir)| {
            let bytes = dir.encode();
            wire::DirectoryNode { name: (*name).to_owned(), digest: digest(hex(&bytes), bytes.len() as u64) }
        };
        let (files, directories) = (self.files.iter().map(file).collect(), self.dirs.iter().map(dir).collect());
        wire::Directory { files, directories, symlinks: Vec::new() }.encode_to_vec()
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_the_digest_that_pants_prints() {
        let none = BTreeMap::new();
        assert_eq!(fingerprint(&none), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        // `requirements.txt` in the root, as Pants 2.17.1 prints it for the fixture `graph.in`.
        let path = RelPath::parse("requirements.txt").expect("clean");
        let one = BTreeMap::from([(path, HashedFile::from_content(b"Py-YAML>=6\n", false))]);
        assert_eq!(fingerprint(&one), "7742638b4cebc297ceafc4771a0644b0f8546c571e02f5fe125f459354d6b8ed");
    }
}
