//! The read set of a step: the files, programs and addresses that it named, and the trees that it was given. Stored as one
//! JSON blob beside the outcome. It has no times, process ids or random names, so that equal runs have equal read sets.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::audit::paths;
use crate::base::{Digest, sandbox_paths};

/// What a step named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSet {
    /// The tree at `/src`.
    pub root: Digest,
    /// The read-only trees by mount point.
    pub images: BTreeMap<String, Digest>,
    /// By absolute path inside the sandbox. Scratch space is left out.
    #[serde(with = "paths")]
    pub files: BTreeMap<String, Access>,
    /// The addresses.
    pub sockets: BTreeSet<Socket>,
    /// Whether the step named more than an audit records.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// What a step did with a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Access {
    /// Everything that it did.
    pub uses: BTreeSet<Use>,
    /// What was there before.
    pub found: Found,
}

/// A way to use a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Opened for reading; for a directory: listed.
    Read,
    /// Asked for metadata or permissions.
    Probed,
    /// Executed.
    Executed,
    /// Created, replaced or opened for writing.
    Written,
}

/// What a path led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// A file or something else that is not a directory.
    File,
    /// A directory.
    Directory,
    /// Nothing.
    Absent,
}

/// A use of a socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Socket {
    /// What was done.
    pub operation: SocketOperation,
    /// `192.0.2.1:80`, `[2001:db8::1]:80`, `unix:/path`, `unix:@abstract`; the family of a new socket.
    pub address: String,
}

/// An operation on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketOperation {
    /// It was created.
    Create,
    /// It was given an address.
    Bind,
    /// It was connected.
    Connect,
    /// Data was sent to an address.
    Send,
}

/// The letters of [`Use`] and [`Found`] in the stored form.
const USES: [(char, Use); 4] = [('r', Use::Read), ('p', Use::Probed), ('x', Use::Executed), ('w', Use::Written)];
const FOUND: [(char, Found); 3] = [('f', Found::File), ('d', Found::Directory), ('-', Found::Absent)];

impl From<Access> for String {
    fn from(access: Access) -> String {
        let found = FOUND.iter().filter(|(_, found)| *found == access.found).map(|(letter, _)| *letter);
        let uses = USES.iter().filter(|(_, known)| access.uses.contains(known)).map(|(letter, _)| *letter);
        found.chain(uses).collect()
    }
}

impl TryFrom<String> for Access {
    type Error = String;

    fn try_from(text: String) -> Result<Access, String> {
        let found = FOUND.iter().find(|(letter, _)| text.starts_with(*letter)).map(|(_, found)| *found);
        let found = found.ok_or_else(|| format!("`{text}` is not an access"))?;
        let uses = USES.iter().filter(|(letter, _)| text.contains(*letter)).map(|(_, known)| *known).collect();
        Ok(Access { uses, found })
    }
}

impl ReadSet {
    /// A read set without accesses.
    pub fn new(root: Digest, images: BTreeMap<String, Digest>) -> ReadSet {
        ReadSet { root, images, files: BTreeMap::new(), sockets: BTreeSet::new(), incomplete: false }
    }

    /// Adds an access. What was found first counts.
    pub fn add(&mut self, path: &str, uses: impl IntoIterator<Item = Use>, found: Found) {
        let path = without_process_ids(path);
        if is_scratch(&path) {
            return;
        }
        let access = self.files.entry(path).or_insert_with(|| Access { uses: BTreeSet::new(), found });
        access.uses.extend(uses);
    }

    /// Whether the content of a file was used.
    pub fn has_read(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(Access::is_content_used)
    }

    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("read sets have string keys")
    }

    /// The read set of a stored form.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<ReadSet, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

impl Access {
    /// Whether the content of a file was used.
    pub fn is_content_used(&self) -> bool {
        self.found == Found::File && (self.uses.contains(&Use::Read) || self.uses.contains(&Use::Executed))
    }

    /// Whether nothing was found, and the step did not create anything.
    pub fn is_absent(&self) -> bool {
        self.found == Found::Absent && !self.uses.contains(&Use::Written)
    }
}

/// Whether a path is in a directory that is empty at the start and discarded at the end, or captured as output: their names are
/// often random, and the step made them itself.
fn is_scratch(path: &str) -> bool {
    [sandbox_paths::TMP, sandbox_paths::SHARED_MEMORY, sandbox_paths::OUT]
        .iter()
        .any(|dir| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/')))
}

/// Replaces the process ids in `/proc/123/…` and `/proc/self/task/123`.
fn without_process_ids(path: &str) -> String {
    let Some(rest) = path.strip_prefix("/proc/") else { return path.to_owned() };
    let is_number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let names = rest.split('/').map(|name| if is_number(name) { "PID" } else { name });
    format!("/proc/{}", names.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ReadSet {
        let mut set = ReadSet::new(Digest::of(b"root"), BTreeMap::from([("/usr".to_owned(), Digest::of(b"usr"))]));
        set.add("/src/a", [Use::Read], Found::Directory);
        set.add("/src/a/b.py", [Use::Probed], Found::File);
        set.add("/src/a/b.py", [Use::Read], Found::File);
        set.add("/src/a.txt", [Use::Probed], Found::Absent);
        set.add("/", [Use::Read], Found::Directory);
        set.add("/proc/12/status", [Use::Read], Found::File);
        set.add("/tmp/random", [Use::Written], Found::Absent);
        let socket = Socket { operation: SocketOperation::Connect, address: "192.0.2.1:80".to_owned() };
        set.sockets.insert(socket);
        set
    }

    #[test]
    fn a_read_set_survives_its_stored_form() {
        let set = sample();
        assert_eq!(ReadSet::from_bytes(&set.to_bytes()).unwrap(), set);
        assert!(ReadSet::from_bytes(b"{}").is_err() && ReadSet::from_bytes(b"").is_err());
        let names: Vec<&str> = set.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["/", "/proc/PID/status", "/src/a", "/src/a.txt", "/src/a/b.py"]);
    }

    #[test]
    fn uses_of_a_path_add_up_and_what_was_found_first_counts() {
        let mut set = sample();
        set.add("/src/a.txt", [Use::Written], Found::File);
        assert!(set.has_read("/src/a/b.py") && !set.has_read("/src/a") && !set.has_read("/src/nothing"));
        assert_eq!(set.files["/src/a.txt"].found, Found::Absent);
        assert!(!set.files["/src/a.txt"].is_absent());
    }
}
