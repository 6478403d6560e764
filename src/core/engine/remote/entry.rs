//! A result of this program on a server: the message `ActionResult`, which every other program understands, too, and in it a
//! file with what only this program needs.
//!
//! ```text
//! output_directories   `out`: the output of the step
//! output_files         `waders/entry`: the message `Extra`; `waders/digests`: the BLAKE3 digests of the output's files, for
//!                      servers with SHA-256; `waders/read-set`: what an audit recorded
//! stdout, stderr       by digest
//! ```

use std::collections::BTreeMap;

use prost::Message;

use crate::action::{Exit, Outcome};
use crate::engine::remote::cas::{Content, Contents};
use crate::engine::remote::trees::EncodedTree;
use crate::engine::remote::{DigestFunction, RemoteDigest, reapi};

/// The file with the message `Extra`.
pub(super) const ENTRY: &str = "waders/entry";
const DIGESTS: &str = "waders/digests";
const READ_SET: &str = "waders/read-set";
const OUTPUT: &str = "out";

/// Contents up to this size in total are part of the entry, so that they need no call of their own.
const INLINED_BYTES: usize = 16 << 10;

/// What only this program needs.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Extra {
    /// The outcome as JSON.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) outcome: Vec<u8>,
    /// The signature, if there is one.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) signature: Option<Vec<u8>>,
    /// Contents of blobs that the result names.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(super) inlined: Vec<Vec<u8>>,
}

/// What a result consists of on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) tree: RemoteDigest,
    pub(super) digests: Option<RemoteDigest>,
    pub(super) stdout: RemoteDigest,
    pub(super) stderr: RemoteDigest,
    pub(super) read_set: Option<RemoteDigest>,
}

impl Parts {
    /// All parts.
    pub(super) fn all(&self) -> impl Iterator<Item = RemoteDigest> {
        [self.tree, self.stdout, self.stderr].into_iter().chain(self.digests).chain(self.read_set)
    }

    /// The parts of a result that this program stored. `None` if another program did.
    pub(super) fn of(result: &reapi::ActionResult, function: DigestFunction) -> Option<Parts> {
        let digest = |digest: &Option<reapi::Digest>| RemoteDigest::from_message(digest.as_ref()?);
        let stream = |digest: &Option<reapi::Digest>, raw: &[u8]| match digest {
            Some(digest) => RemoteDigest::from_message(digest),
            // Servers may replace a digest by the content, and leave out what is empty.
            None => Some(function.of(raw)),
        };
        let directory = result.output_directories.iter().find(|directory| directory.path == OUTPUT)?;
        Some(Parts {
            tree: digest(&directory.tree_digest)?,
            digests: file(result, DIGESTS).and_then(|file| digest(&file.digest)),
            stdout: stream(&result.stdout_digest, &result.stdout_raw)?,
            stderr: stream(&result.stderr_digest, &result.stderr_raw)?,
            read_set: file(result, READ_SET).and_then(|file| digest(&file.digest)),
        })
    }
}

/// A file of a result.
pub(super) fn file<'r>(result: &'r reapi::ActionResult, path: &str) -> Option<&'r reapi::OutputFile> {
    result.output_files.iter().find(|file| file.path == path)
}

/// A result for the server.
pub(super) struct NewEntry {
    pub(super) result: reapi::ActionResult,
    /// Everything that the result names.
    pub(super) contents: Contents,
}

/// What a new entry is made of.
pub(super) struct Ingredients<'o> {
    pub(super) function: DigestFunction,
    pub(super) outcome: &'o Outcome,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) tree: EncodedTree,
    /// The blobs of standard output, standard error and the read set with their digests on the server.
    pub(super) streams: [RemoteDigest; 2],
    pub(super) read_set: Option<RemoteDigest>,
    /// The contents of those blobs that are small enough to be part of the entry.
    pub(super) small: BTreeMap<RemoteDigest, Vec<u8>>,
}

/// Makes a result.
pub(super) fn new_entry(from: Ingredients<'_>) -> NewEntry {
    let Ingredients { function, outcome, signature, tree, streams: [stdout, stderr], read_set, mut small } = from;
    let mut contents = Contents::new();
    let mut add = |bytes: Vec<u8>| {
        let digest = function.of(&bytes);
        contents.insert(digest, Content::Bytes(bytes));
        digest
    };
    small.insert(function.of(&tree.message), tree.message.clone());
    small.insert(function.of(&tree.digests), tree.digests.clone());
    let tree_digest = add(tree.message);
    let digests = (!tree.digests.is_empty()).then(|| add(tree.digests));
    let extra = Extra {
        outcome: serde_json::to_vec(outcome).expect("outcomes always serialize"),
        signature,
        inlined: inlined(small),
    };
    let extra = extra.encode_to_vec();
    let entry = add(extra.clone());
    contents.extend(tree.directories.into_iter().map(|(digest, bytes)| (digest, Content::Bytes(bytes))));
    contents.extend(tree.files.iter().map(|file| (file.remote, Content::Blob(file.local))));
    contents.insert(stdout, Content::Blob(outcome.stdout));
    contents.insert(stderr, Content::Blob(outcome.stderr));
    let audit = outcome.audit.as_ref();
    contents.extend(audit.zip(read_set).map(|(audit, remote)| (remote, Content::Blob(audit.read_set))));
    let output_file = |path: &str, digest: RemoteDigest, contents: Vec<u8>| reapi::OutputFile {
        path: path.to_owned(),
        digest: Some(digest.to_message()),
        contents,
        ..reapi::OutputFile::default()
    };
    let mut output_files = vec![];
    output_files.extend(digests.map(|digest| output_file(DIGESTS, digest, Vec::new())));
    output_files.push(output_file(ENTRY, entry, extra));
    output_files.extend(read_set.map(|digest| output_file(READ_SET, digest, Vec::new())));
    let result = reapi::ActionResult {
        output_files,
        output_directories: vec![reapi::OutputDirectory {
            path: OUTPUT.to_owned(),
            tree_digest: Some(tree_digest.to_message()),
            is_topologically_sorted: true,
            ..reapi::OutputDirectory::default()
        }],
        exit_code: exit_code(outcome),
        stdout_digest: Some(stdout.to_message()),
        stderr_digest: Some(stderr.to_message()),
        ..reapi::ActionResult::default()
    };
    NewEntry { result, contents }
}

/// The smallest contents first, as many as fit.
fn inlined(small: BTreeMap<RemoteDigest, Vec<u8>>) -> Vec<Vec<u8>> {
    let mut contents: Vec<Vec<u8>> = small.into_values().filter(|bytes| !bytes.is_empty()).collect();
    contents.sort_by_key(Vec::len);
    let mut room = INLINED_BYTES;
    contents.retain(|bytes| {
        let fits = bytes.len() <= room;
        room = if fits { room - bytes.len() } else { 0 };
        fits
    });
    contents
}

/// Only contents up to this size can be part of an entry.
pub(super) fn may_be_inlined(size_bytes: u64) -> bool {
    size_bytes <= INLINED_BYTES as u64 / 2
}

/// The exit code of an outcome; -1 for an outcome without one.
pub(super) fn exit_code(outcome: &Outcome) -> i32 {
    match outcome.exit {
        Exit::Code(code) => code,
        _ => -1,
    }
}
