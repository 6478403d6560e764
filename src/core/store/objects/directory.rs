//! One directory level of a tree and its encoding: the canonical `Directory` message of the Remote Execution API. `trees` stores the
//! messages.

use std::collections::BTreeMap;

use prost::Message;

use crate::base::Digest;

/// The entries of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Entries by name. A name is a single path component.
    pub entries: BTreeMap<String, Entry>,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file with the digest of its blob.
    File {
        /// The digest of the blob.
        digest: Digest,
        /// Whether its owner can execute it.
        executable: bool,
    },
    /// A subdirectory with the digest of its message.
    Directory(Digest),
    /// A symbolic link with its target.
    Symlink(String),
}

impl Directory {
    /// The canonical encoding: each list is sorted by name, and fields with default values are omitted.
    pub fn encode(&self) -> Vec<u8> {
        let mut message = wire::Directory::default();
        for (name, entry) in &self.entries {
            let name = name.clone();
            match entry {
                Entry::File { digest, executable } => {
                    let digest = Some(wire::Digest::from(*digest));
                    message.files.push(wire::FileNode { name, digest, is_executable: *executable });
                }
                Entry::Directory(digest) => {
                    message.directories.push(wire::DirectoryNode { name, digest: Some((*digest).into()) });
                }
                Entry::Symlink(target) => {
                    message.symlinks.push(wire::SymlinkNode { name, target: target.clone() });
                }
            }
        }
        message.encode_to_vec()
    }

    /// Decodes a message. Every message that `encode` cannot produce is an error with the reason.
    pub fn decode(bytes: &[u8]) -> Result<Directory, String> {
        let message = wire::Directory::decode(bytes).map_err(|error| error.to_string())?;
        let mut directory = Directory::default();
        for file in message.files {
            let digest = parse_digest(&file.name, file.digest)?;
            directory.add(file.name, Entry::File { digest, executable: file.is_executable })?;
        }
        for child in message.directories {
            let digest = parse_digest(&child.name, child.digest)?;
            directory.add(child.name, Entry::Directory(digest))?;
        }
        for link in message.symlinks {
            directory.add(link.name, Entry::Symlink(link.target))?;
        }
        if directory.encode() != bytes {
            return Err("it is not in canonical form: a list is not sorted, or it contains an unknown field".to_owned());
        }
        Ok(directory)
    }

    /// Adds an entry. Invalid names, duplicate names and links without a target are errors with the reason.
    pub fn add(&mut self, name: String, entry: Entry) -> Result<(), String> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(format!("invalid entry name `{}`", name.escape_debug()));
        }
        if let Entry::Symlink(target) = &entry
            && (target.is_empty() || target.contains('\0'))
        {
            return Err(format!("the link `{name}` has no valid target"));
        }
        match self.entries.insert(name.clone(), entry) {
            None => Ok(()),
            Some(_) => Err(format!("it has two entries with the name `{name}`")),
        }
    }
}

fn parse_digest(name: &str, digest: Option<wire::Digest>) -> Result<Digest, String> {
    let digest = digest.ok_or_else(|| format!("`{name}` has no digest"))?;
    let hash = blake3::Hash::from_hex(&digest.hash).map_err(|_| format!("`{name}` has a malformed hash"))?;
    let size_bytes = u64::try_from(digest.size_bytes).map_err(|_| format!("`{name}` has a negative size"))?;
    Ok(Digest::new(*hash.as_bytes(), size_bytes))
}

/// The messages of `build.bazel.remote.execution.v2`, with the fields that a canonical tree uses.
pub(in crate::store) mod wire {
    pub(crate) use crate::base::wire::Digest;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Directory {
        #[prost(message, repeated, tag = "1")]
        pub files: Vec<FileNode>,
        #[prost(message, repeated, tag = "2")]
        pub directories: Vec<DirectoryNode>,
        #[prost(message, repeated, tag = "3")]
        pub symlinks: Vec<SymlinkNode>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct FileNode {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(message, optional, tag = "2")]
        pub digest: Option<Digest>,
        #[prost(bool, tag = "4")]
        pub is_executable: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct DirectoryNode {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(message, optional, tag = "2")]
        pub digest: Option<Digest>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct SymlinkNode {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub target: String,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let digest = (any::<[u8; 32]>(), 0..1_u64 << 40).prop_map(|(hash, size)| Digest::new(hash, size));
        prop_oneof![
            (digest.clone(), any::<bool>()).prop_map(|(digest, executable)| Entry::File { digest, executable }),
            digest.prop_map(Entry::Directory),
            "[a-z./]{1,9}".prop_map(Entry::Symlink),
        ]
    }

    proptest! {
        #[test]
        fn an_encoded_directory_is_decoded_again(entries in prop::collection::btree_map("[a-z…-]{1,5}", entry(), 0..9)) {
            let directory = Directory { entries };
            prop_assert_eq!(Directory::decode(&directory.encode()), Ok(directory));
        }

        /// Each directory has exactly one encoding. Otherwise a tree could have two digests.
        #[test]
        fn every_accepted_message_is_canonical(
            entries in prop::collection::btree_map("[a-c]{1,2}", entry(), 1..5),
            at in 0_usize..1000,
            flip in 1_u8..=255,
        ) {
            let mut bytes = Directory { entries }.encode();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            if let Ok(directory) = Directory::decode(&bytes) {
                prop_assert_eq!(directory.encode(), bytes);
            }
        }
    }
}
