//! The result of a remote action: downloads the output directory that `waders-step` wrote into the store, and checks what it
//! reports. Nothing is taken from a worker without the digest that its result names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use prost::Message;
use waders_sandbox::step::{OUT, StepReport};
use waders_sandbox::{Isolation, Outcome, Trace};

use crate::base::{Digest, RelPath};
use crate::engine::remote::{Connection, Error, RemoteDigest, Wanted, reapi};
use crate::store::{self, CaptureLimits, Node, Store, Tree};

/// The largest report that is accepted. That of an audited step names all its files.
const REPORT_BYTES: u64 = 256 << 20;

/// Larger streams are cut, which is done by a run on this machine.
const STREAM_BYTES: u64 = 1 << 30;

/// What a worker returned.
pub(super) enum Returned {
    /// The step ran.
    Ran(Box<Ran>),
    /// The worker cannot isolate the step, for this reason.
    CannotIsolate(String),
    /// The worker did not run the step, or cannot return its output.
    NotRun(String),
}

/// A step that ran.
pub(super) struct Ran {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// What it named, if it was audited.
    pub(super) trace: Option<Trace>,
    /// The blobs of its streams.
    pub(super) streams: [Digest; 2],
    /// Its output, whose files are in the store.
    pub(super) tree: Tree,
}

/// The output directory by path, with the digests on the server.
type Files = BTreeMap<RelPath, RemoteNode>;

enum RemoteNode {
    File { digest: RemoteDigest, executable: bool },
    Symlink(String),
    EmptyDirectory,
}

/// Downloads and checks the result of an action. `asked` is the level that the step must have had.
pub(super) async fn take(
    connection: &Arc<Connection>,
    store: &Arc<Store>,
    result: &reapi::ActionResult,
    asked: Isolation,
) -> Result<Returned, Error> {
    let unusable = |why: String| Error::Result { address: connection.address(), why };
    let Some(directory) = result.output_directories.iter().find(|directory| directory.path == OUT) else {
        let stderr = String::from_utf8_lossy(&result.stderr_raw);
        let why = format!("a worker returned no output: exit code {} {}", result.exit_code, stderr.trim());
        return Ok(Returned::NotRun(why.trim_end().to_owned()));
    };
    let files = list(connection, directory).await?;
    let report = report(connection, &files).await?;
    let (outcome, trace) = match report {
        StepReport::Unsupported(missing) => return Ok(Returned::CannotIsolate(missing.to_string())),
        StepReport::Failed(why) => return Ok(Returned::NotRun(why)),
        StepReport::Ended { refused: Some(why), .. } => return Ok(Returned::NotRun(why)),
        StepReport::Ended { outcome, trace, .. } => (outcome, trace),
    };
    if outcome.isolation < asked {
        return Ok(Returned::CannotIsolate(format!("it isolated the step only at the level {:?}", outcome.isolation)));
    }
    let stored = download(connection, store, &files).await?;
    let stream = |name: &str| match files.get(&path(name)) {
        Some(RemoteNode::File { digest, .. }) => stored.get(digest).copied(),
        _ => None,
    };
    let streams = stream("stdout").zip(stream("stderr"));
    let (stdout, stderr) = streams.ok_or_else(|| unusable("its output has no streams".to_owned()))?;
    if stdout.size_bytes().max(stderr.size_bytes()) > STREAM_BYTES {
        return Ok(Returned::NotRun("its output is too large".to_owned()));
    }
    let mut tree = Tree::default();
    for (path, node) in files {
        let Some(below) = path.strip_prefix(&self::path("tree")) else { continue };
        let node = match node {
            RemoteNode::File { digest, executable } => {
                let digest = stored.get(&digest).copied().ok_or_else(|| missing(connection, digest))?;
                Node::File { digest, executable }
            }
            RemoteNode::Symlink(target) => Node::Symlink { target },
            RemoteNode::EmptyDirectory => Node::EmptyDirectory,
        };
        if !below.is_root() {
            tree.nodes.insert(below, node);
        }
    }
    if let Some(why) = refusal(&tree) {
        return Ok(Returned::NotRun(why));
    }
    Ok(Returned::Ran(Box::new(Ran { outcome, trace, streams: [stdout, stderr], tree })))
}

/// Why a tree cannot be the output of a step. The rules are those of the capture of local outputs.
fn refusal(tree: &Tree) -> Option<String> {
    let limits = CaptureLimits::default();
    if let Some((path, target)) = store::first_escaping_link(tree) {
        return Some(format!("`{path}` is a link to `{target}`, which is outside of the output"));
    }
    let bytes: u64 = tree.nodes.values().filter_map(Node::content).map(|digest| digest.size_bytes()).sum();
    let is_deep = |path: &RelPath| path.components().count() > limits.depth;
    let is_large = bytes > limits.bytes || tree.nodes.len() > limits.entries || tree.nodes.keys().any(is_deep);
    is_large.then(|| "its output is too large".to_owned())
}

fn path(name: &str) -> RelPath {
    RelPath::parse(name).expect("the names of the output are clean")
}

fn missing(connection: &Connection, digest: RemoteDigest) -> Error {
    Error::Missing { address: connection.address(), digest }
}

/// The report of the program.
async fn report(connection: &Arc<Connection>, files: &Files) -> Result<StepReport, Error> {
    let unusable = |why: String| Error::Result { address: connection.address(), why };
    let digest = match files.get(&path("report")) {
        Some(RemoteNode::File { digest, .. }) if digest.size_bytes <= REPORT_BYTES => *digest,
        _ => return Err(unusable("its output has no report".to_owned())),
    };
    let bytes = connection.read([digest]).await?.remove(&digest).ok_or_else(|| missing(connection, digest))?;
    serde_json::from_slice(&bytes).map_err(|error| unusable(format!("its report is malformed: {error}")))
}

/// Downloads the streams and the files of the output tree into the store.
async fn download(
    connection: &Arc<Connection>,
    store: &Arc<Store>,
    files: &Files,
) -> Result<BTreeMap<RemoteDigest, Digest>, Error> {
    let wanted = files.iter().filter(|(path, _)| path.as_str() != "report").filter_map(|(_, node)| match node {
        RemoteNode::File { digest, executable } => {
            Some(Wanted { remote: *digest, local: None, executable: *executable })
        }
        _ => None,
    });
    connection.download(store, &wanted.collect::<Vec<_>>()).await
}

/// Everything in the output directory.
async fn list(connection: &Arc<Connection>, directory: &reapi::OutputDirectory) -> Result<Files, Error> {
    let unusable = |why: &str| Error::Result { address: connection.address(), why: why.to_owned() };
    let digest = directory.tree_digest.as_ref().and_then(RemoteDigest::from_message);
    let digest = digest.ok_or_else(|| unusable("its output directory has no tree"))?;
    let bytes = connection.read([digest]).await?.remove(&digest).ok_or_else(|| missing(connection, digest))?;
    let tree = reapi::Tree::decode(&bytes[..]).map_err(|_| unusable("its output directory is malformed"))?;
    let function = connection.capabilities().await?.digest_function;
    let children: HashMap<RemoteDigest, &reapi::Directory> =
        tree.children.iter().map(|child| (function.of(&child.encode_to_vec()), child)).collect();
    let root = tree.root.as_ref().ok_or_else(|| unusable("its output directory has no root"))?;
    flatten(root, &children).map_err(|why| unusable(&format!("its output directory is malformed: {why}")))
}

/// The nodes of a tree by path. Names are checked, and each directory must be in `children`.
fn flatten(root: &reapi::Directory, children: &HashMap<RemoteDigest, &reapi::Directory>) -> Result<Files, String> {
    let limits = CaptureLimits::default();
    let mut files = Files::new();
    let mut pending = vec![(RelPath::root(), root)];
    while let Some((path, directory)) = pending.pop() {
        if path.components().count() > limits.depth || files.len() > limits.entries {
            return Err("it is too deep or too large".to_owned());
        }
        let push = |name: &str| match name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            true => Err(format!("invalid name `{}`", name.escape_debug())),
            false => path.push(name).map_err(|error| error.to_string()),
        };
        let mut insert = |path: RelPath, node| match files.insert(path.clone(), node) {
            None => Ok(()),
            Some(_) => Err(format!("`{path}` appears twice")),
        };
        for file in &directory.files {
            let digest = file.digest.as_ref().and_then(RemoteDigest::from_message);
            let digest = digest.ok_or_else(|| format!("`{}` has no digest", file.name))?;
            // The report of the program says that there is none, so a worker that returns one does not return its output.
            let properties = file.node_properties.as_ref();
            if properties.and_then(|properties| properties.unix_mode).is_some_and(|mode| mode.value & 0o6000 != 0) {
                return Err(format!("`{}` has a setuid or setgid bit", file.name.escape_debug()));
            }
            insert(push(&file.name)?, RemoteNode::File { digest, executable: file.is_executable })?;
        }
        for link in &directory.symlinks {
            insert(push(&link.name)?, RemoteNode::Symlink(link.target.clone()))?;
        }
        for child in &directory.directories {
            let digest = child.digest.as_ref().and_then(RemoteDigest::from_message);
            let below = digest.and_then(|digest| children.get(&digest));
            let below = below.ok_or_else(|| format!("the directory `{}` is missing", child.name))?;
            let path = push(&child.name)?;
            if below.files.is_empty() && below.directories.is_empty() && below.symlinks.is_empty() {
                insert(path, RemoteNode::EmptyDirectory)?;
            } else {
                pending.push((path, below));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use bazel_remote_apis::google::protobuf::UInt32Value;

    use super::*;
    use crate::engine::remote::DigestFunction;

    fn file(name: &str) -> reapi::FileNode {
        let digest = Some(DigestFunction::Sha256.of(b"text").to_message());
        reapi::FileNode { name: name.to_owned(), digest, is_executable: false, node_properties: None }
    }

    fn check(root: reapi::Directory, children: &[reapi::Directory], expected: Result<&[&str], &str>) {
        let children =
            children.iter().map(|child| (DigestFunction::Sha256.of(&child.encode_to_vec()), child)).collect();
        let files = flatten(&root, &children);
        let names = files.map(|files| files.into_keys().map(|path| path.to_string()).collect::<Vec<_>>());
        match (names, expected) {
            (Ok(names), Ok(expected)) => assert_eq!(names, expected),
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (names, expected) => panic!("{names:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn an_output_directory_is_listed_by_path() {
        let child = reapi::Directory { files: vec![file("f")], ..Default::default() };
        let empty = reapi::Directory::default();
        let node = |name: &str, child: &reapi::Directory| reapi::DirectoryNode {
            name: name.to_owned(),
            digest: Some(DigestFunction::Sha256.of(&child.encode_to_vec()).to_message()),
        };
        let root = reapi::Directory {
            files: vec![file("a")],
            directories: vec![node("d", &child), node("e", &empty)],
            ..Default::default()
        };
        check(root.clone(), &[child, empty], Ok(&["a", "d/f", "e"]));
        check(root, &[], Err("the directory `d` is missing"));
    }

    #[test]
    fn names_that_leave_the_directory_and_special_modes_are_refused() {
        for name in ["..", ".", "", "/etc/passwd", "a/b", "a\0"] {
            let root = reapi::Directory { files: vec![file(name)], ..Default::default() };
            check(root, &[], Err("invalid name"));
        }
        let properties = reapi::NodeProperties { unix_mode: Some(UInt32Value { value: 0o4755 }), ..Default::default() };
        let setuid = reapi::FileNode { node_properties: Some(properties), ..file("a") };
        let root = reapi::Directory { files: vec![setuid], ..Default::default() };
        check(root, &[], Err("`a` has a setuid or setgid bit"));
        let twice = reapi::Directory { files: vec![file("a"), file("a")], ..Default::default() };
        check(twice, &[], Err("`a` appears twice"));
    }
}
