//! What a worker gets: the action of the Remote Execution API, whose input root holds the program, its request, the sources and
//! the images. The files are described in `waders_sandbox::step`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use waders_sandbox::step::{MOUNT_POINT, OUT, OUT_TREE, REQUEST, StepRequest};
use waders_sandbox::{Mount, MountKind};

use crate::action::{Action, Inputs};
use crate::base::{Digest, sandbox_paths};
use crate::engine::local::request::{self, Places};
use crate::engine::local::runner::LocalSettings;
use crate::engine::remote::execution::trees::{Trees, add_bytes, add_message};
use crate::engine::remote::execution::{ExecutionSettings, StepProgram};
use crate::engine::remote::trees::{directory_node, file_node};
use crate::engine::remote::{Content, Contents, DigestMap, Error, RemoteDigest, reapi};
use crate::store::{FIXED_MTIME_SECONDS, Store};

/// The program in the input root.
const PROGRAM: &str = "waders-step";
const SOURCES: &str = "src";
const IMAGES: &str = "images";

/// A directory of the input root.
#[derive(Clone, Debug)]
pub(super) struct InputTree {
    /// Its name.
    pub(super) name: String,
    /// Its tree in the store.
    pub(super) tree: Digest,
}

/// The input root of a remote action, before it is encoded.
pub(super) struct InputRoot {
    /// The request for the program.
    pub(super) request: Vec<u8>,
    /// The images, which many steps share.
    pub(super) images: Vec<InputTree>,
    /// The sources.
    pub(super) sources: InputTree,
}

/// An encoded remote action.
pub(super) struct RemoteAction {
    /// Its digest on the server.
    pub(super) digest: RemoteDigest,
    /// What the server may lack.
    pub(super) contents: Contents,
}

/// The input root of an action.
pub(super) fn input_root(settings: &LocalSettings, action: &Action, inputs: &Inputs, audit: bool) -> InputRoot {
    let images = inputs.images.values().enumerate();
    let images: Vec<InputTree> =
        images.map(|(number, tree)| InputTree { name: number.to_string(), tree: *tree }).collect();
    let sources = InputTree { name: SOURCES.to_owned(), tree: inputs.root };
    let mounts = mounts(settings, inputs);
    let places = Places { out: Path::new(OUT_TREE), disk_scratch: &BTreeMap::new() };
    // Every sandbox of a worker has a network of its own, so that steps need no number to keep apart.
    let request = request::request(settings, action, &mounts, &places, 0, audit);
    let state = action.policy.incremental.iter().map(|incremental| incremental.state_out.as_str().to_owned());
    let outputs = action.command.outputs_at.values().map(|dir| dir.as_str().to_owned());
    let step = StepRequest {
        request,
        success_codes: action.policy.cache.success_codes.clone(),
        required_output: action.policy.required_output.as_ref().map(|path| path.as_str().to_owned()),
        output_dirs: outputs.chain(state).collect(),
    };
    let request = serde_json::to_vec(&step).expect("requests are plain data with string keys");
    InputRoot { request, images, sources }
}

/// The mounts of the inputs, with sources relative to the input root.
fn mounts(settings: &LocalSettings, inputs: &Inputs) -> Vec<Mount> {
    let limits = &settings.platform.limits;
    let image = |(number, at): (usize, &String)| {
        let source = PathBuf::from(IMAGES).join(number.to_string());
        Mount { at: at.into(), kind: MountKind::ReadOnly { source } }
    };
    let sources = MountKind::Copied {
        source: SOURCES.into(),
        entries: BTreeMap::new(),
        reversed: false,
        read_only: false,
        modified: FIXED_MTIME_SECONDS,
        more_bytes: limits.scratch_bytes,
        more_inodes: limits.scratch_inodes,
    };
    let sources = Mount { at: sandbox_paths::SRC.into(), kind: sources };
    inputs.images.keys().enumerate().map(image).chain([sources]).collect()
}

/// How the server treats an action.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Treatment<'t> {
    /// Whether the server must not store the result.
    pub(super) do_not_cache: bool,
    /// Separates results of the server, as it does in the local cache.
    pub(super) namespace: Option<&'t str>,
}

/// Encodes the action of an input root.
pub(super) fn encode(
    (store, map, trees): (&Store, &DigestMap, &Trees),
    settings: &ExecutionSettings,
    program: StepProgram,
    root: &InputRoot,
    treatment: Treatment<'_>,
) -> Result<RemoteAction, Error> {
    let function = trees.function();
    let mut contents = Contents::new();
    let mut images = reapi::Directory::default();
    // Sorted by name, as the API requires.
    let mut sorted: Vec<&InputTree> = root.images.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    for InputTree { name, tree } in sorted {
        let digest = trees.encode(store, *tree, &mut contents)?;
        images.directories.push(directory_node(name.clone(), digest));
    }
    let sources = trees.encode(store, root.sources.tree, &mut contents)?;
    let images = add_message(function, &images, &mut contents);
    let empty = add_message(function, &reapi::Directory::default(), &mut contents);
    let request = add_bytes(function, root.request.clone(), &mut contents);
    let StepProgram(program) = program;
    let remote_program = map.of_blobs(function, &[program])?[&program];
    contents.insert(remote_program, Content::Blob(program));
    let input_root = reapi::Directory {
        files: vec![file_node(REQUEST.to_owned(), request, false), file_node(PROGRAM.to_owned(), remote_program, true)],
        directories: vec![
            directory_node(IMAGES.to_owned(), images),
            directory_node(MOUNT_POINT.to_owned(), empty),
            directory_node(OUT.to_owned(), empty),
            directory_node(root.sources.name.clone(), sources),
        ],
        ..reapi::Directory::default()
    };
    let input_root = add_message(function, &input_root, &mut contents);
    let digest = add_action(trees, settings, input_root, treatment, &mut contents);
    Ok(RemoteAction { digest, contents })
}

/// Adds the messages of the action and its command.
#[expect(deprecated, reason = "servers of version 2.1 and earlier read the platform from the command")]
fn add_action(
    trees: &Trees,
    settings: &ExecutionSettings,
    input_root: RemoteDigest,
    treatment: Treatment<'_>,
    contents: &mut Contents,
) -> RemoteDigest {
    let function = trees.function();
    let property =
        |(name, value): (&String, &String)| reapi::platform::Property { name: name.clone(), value: value.clone() };
    let platform = reapi::Platform { properties: settings.properties.iter().map(property).collect() };
    let command = reapi::Command {
        arguments: vec![format!("./{PROGRAM}"), REQUEST.to_owned()],
        output_paths: vec![OUT.to_owned()],
        platform: Some(platform.clone()),
        ..reapi::Command::default()
    };
    let command = add_message(function, &command, contents);
    let action = reapi::Action {
        command_digest: Some(command.to_message()),
        input_root_digest: Some(input_root.to_message()),
        do_not_cache: treatment.do_not_cache,
        salt: treatment.namespace.unwrap_or_default().as_bytes().to_vec(),
        platform: Some(platform),
        ..reapi::Action::default()
    };
    add_message(function, &action, contents)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use prost::Message;

    use super::*;
    use crate::action::{Command, Platform, Policy, Source};
    use crate::engine::remote::DigestFunction;

    fn settings(properties: &[(&str, &str)]) -> ExecutionSettings {
        let properties = properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        ExecutionSettings { properties, priority: 0, max_run: Duration::MAX, max_queue: Duration::MAX }
    }

    #[test]
    fn the_input_root_is_canonical_and_the_key_covers_the_request() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let map = DigestMap::new(store.clone());
        let trees = Trees::new(map.clone(), DigestFunction::Sha256);
        let empty = store.put_tree(&crate::store::Tree::default()).unwrap();
        let program = StepProgram(store.put(b"program").unwrap());
        let local =
            LocalSettings::new(waders_sandbox::Isolation::Full, Platform::sample().limits, Duration::ZERO, None);
        let encoded = |argv: &str, properties: &[(&str, &str)]| {
            let images = (0..12).map(|number| (format!("/image{number:02}"), empty)).collect();
            let inputs = Inputs { root: empty, images };
            let command = Command::new(vec![argv.to_owned()], BTreeMap::new(), Source::Tree(empty), BTreeMap::new());
            let action = Action { command, policy: Policy::new("step".to_owned()) };
            let root = input_root(&local, &action, &inputs, false);
            encode((&store, &map, &trees), &settings(properties), program, &root, Treatment::default()).unwrap()
        };
        let first = encoded("/usr/bin/true", &[]);
        let bytes = |digest: &Option<reapi::Digest>| match &first.contents
            [&RemoteDigest::from_message(digest.as_ref().unwrap()).unwrap()]
        {
            Content::Bytes(bytes) => bytes.clone(),
            Content::Blob(blob) => panic!("{blob}"),
        };
        let action = reapi::Action::decode(&bytes(&Some(first.digest.to_message()))[..]).unwrap();
        let root = reapi::Directory::decode(&bytes(&action.input_root_digest)[..]).unwrap();
        let names = |nodes: &[reapi::DirectoryNode]| nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&root.directories), ["images", "mnt", "out", "src"]);
        let images = reapi::Directory::decode(&bytes(&root.directories[0].digest)[..]).unwrap();
        let mut sorted = names(&images.directories);
        sorted.sort();
        assert_eq!(names(&images.directories), sorted);
        assert_eq!(encoded("/usr/bin/true", &[]).digest, first.digest);
        assert_ne!(encoded("/usr/bin/false", &[]).digest, first.digest);
        assert_ne!(encoded("/usr/bin/true", &[("pool", "large")]).digest, first.digest);
    }
}
