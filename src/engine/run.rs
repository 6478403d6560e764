//! One action, from its trees to its outcome: materialize, run in a sandbox, capture, publish.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use waders_sandbox::{Limits, Mount, MountKind, Network, Request, Stdio, TreeEntry};

use crate::action::{Action, Exit, Inputs, Outcome, Warm};
use crate::base::Digest;
use crate::engine::CancelLevel;
use crate::engine::slots::Slot;
use crate::engine::warm::{self, Start, State};
use crate::engine::{Cancellation, Engine, Error, Settings};
use crate::store::{self, Batch, CaptureLimits, FIXED_MTIME_SECONDS, Node, Store};

/// Where the sandbox's user lives: empty, and thrown away. Steps name it in `HOME`.
const HOME: &str = "/home/waders";

/// A disk with less room is full: programs remove what they could not write whole.
const LEAST_FREE_BYTES: u64 = 4 << 20;

/// Runs the action until one attempt succeeds or all are used up. `lineage` names the runs whose states it may begin
/// with.
pub async fn run(
    engine: &Engine,
    action: &Action,
    inputs: &Inputs,
    lineage: Option<Digest>,
    slot: &Slot<'_>,
    cancel: &Cancellation,
) -> Result<Outcome, Error> {
    // A spawner that has to be started first starts meanwhile; what is wrong with it is told when it is used.
    let materialized = async { tokio::task::block_in_place(|| materialize(engine, inputs)) };
    let (_, mounts) = tokio::join!(engine.spawner(), materialized);
    let mounts = mounts?;
    let mut start = action.warm.as_ref().zip(lineage).and_then(|(warm, lineage)| {
        tokio::task::block_in_place(|| warm::start(&engine.store, warm, &lineage, inputs.root))
    });
    let mut attempt = 1;
    loop {
        let Done { mut outcome, state } = once(engine, action, &mounts, start.as_ref(), slot, cancel).await?;
        outcome.attempts = attempt;
        let good = action.is_good(outcome.exit);
        if let (true, Some(tree), Some(warm), Some(lineage)) = (good, state, &action.warm, lineage) {
            warm::keep(&engine.store, warm, &lineage, State { sources: inputs.root, tree })?;
        }
        if good || outcome.exit == Exit::Interrupted {
            return Ok(outcome);
        }
        // What went wrong may come of the state: only a run without one has the last word.
        if start.take().is_none() {
            if attempt >= action.attempts {
                return Ok(outcome);
            }
            attempt += 1;
        }
    }
}

/// What came of one process, and the state that it left.
struct Done {
    outcome: Outcome,
    state: Option<Digest>,
}

fn materialize(engine: &Engine, inputs: &Inputs) -> Result<Vec<Mount>, Error> {
    // An image is looked through before its first use: thousands of files, and steps that start together want the same.
    let (images, sources) = thread::scope(|scope| {
        let image = |(at, tree): (&String, &Digest)| {
            let source = engine.store.materialize(*tree)?;
            Ok(Mount { at: at.into(), kind: MountKind::ReadOnly { source } })
        };
        let images: Vec<_> = inputs.images.iter().map(|input| scope.spawn(move || image(input))).collect();
        let sources = sources(engine, inputs.root);
        (images.into_iter().map(join).collect::<Vec<Result<Mount, Error>>>(), sources)
    });
    images.into_iter().chain([sources]).collect()
}

fn join<T>(thread: ScopedJoinHandle<'_, Result<T, Error>>) -> Result<T, Error> {
    thread.join().unwrap_or_else(|_| Err(Error::Bug("a thread that makes an image panicked".to_owned())))
}

/// A process may write to its sources, so it gets copies.
fn sources(engine: &Engine, root: Digest) -> Result<Mount, Error> {
    let (store, settings) = (&engine.store, &engine.settings);
    let mut entries = BTreeMap::new();
    for (path, node) in store.tree(root)?.nodes {
        let entry = match node {
            Node::File { digest, executable } => {
                let (from, size_bytes) = (store.relative_blob_path(digest)?, digest.size_bytes());
                TreeEntry::File { from, size_bytes, executable }
            }
            Node::Symlink { target } => TreeEntry::Symlink { target },
            Node::EmptyDirectory => TreeEntry::Directory,
        };
        entries.insert(path.to_string(), entry);
    }
    let kind = MountKind::Copied {
        source: store.blob_root(),
        entries,
        modified: FIXED_MTIME_SECONDS,
        more_bytes: settings.scratch_bytes,
        more_inodes: settings.scratch_inodes,
    };
    Ok(Mount { at: "/src".into(), kind })
}

async fn once(
    engine: &Engine,
    action: &Action,
    mounts: &[Mount],
    start: Option<&Start>,
    slot: &Slot<'_>,
    cancel: &Cancellation,
) -> Result<Done, Error> {
    let scratch = engine.store.scratch()?;
    let prepare = |source| Error::Prepare { path: scratch.path().to_owned(), source };
    let out = scratch.path().join("out");
    make_writable_dir(&out).map_err(prepare)?;
    for dir in action.outputs_at.values().chain(action.warm.iter().map(|warm| &warm.left_in)) {
        make_writable_dir(&dir.to_path(&out)).map_err(prepare)?;
    }
    let stdout = nameless_file(scratch.path()).map_err(prepare)?;
    let stderr = nameless_file(scratch.path()).map_err(prepare)?;
    let streams = streams(&stdout, &stderr, action.interactive).map_err(prepare)?;
    let mounts: Vec<Mount> = mounts.iter().chain(start.map(|start| &start.mount)).cloned().collect();
    let request = request(engine, action, &mounts, &out, slot);
    let sandboxed = sandboxed(engine, action, request, streams, slot, cancel).await?;

    if sandboxed.exit != waders_sandbox::Exit::Code(0) {
        refuse_full_disk(scratch.path())?;
    }
    // Together, since each commit waits for the disk.
    let began_with = start.map(|start| start.state);
    let left = action.warm.as_ref().map(|warm| Left { warm, began_with });
    let kept = tokio::task::block_in_place(|| keep(&engine.store, scratch.path(), left, stdout, stderr));
    let Kept { stdout, stderr, output, state } =
        kept.map_err(|source| Error::Capture { label: action.label.clone(), source })?;
    let outcome = Outcome {
        exit: exit(sandboxed.exit),
        stdout,
        stderr,
        output,
        wall: sandboxed.wall,
        max_rss_bytes: sandboxed.max_rss_bytes,
        attempts: 1,
        began_with,
    };
    Ok(Done { outcome, state })
}

/// How to take the state that a process left.
struct Left<'w> {
    warm: &'w Warm,
    began_with: Option<Digest>,
}

struct Kept {
    stdout: Digest,
    stderr: Digest,
    output: Digest,
    state: Option<Digest>,
}

/// What the process wrote, and what it left in its output directory.
fn keep(
    store: &Store,
    scratch: &Path,
    left: Option<Left<'_>>,
    mut stdout: File,
    mut stderr: File,
) -> store::Result<Kept> {
    let batch = store.batch();
    let out = scratch.join("out");
    // Without a state the next run takes longer, and nothing else.
    let state = left.and_then(|left| take_state(store, &batch, scratch, &left).ok());
    let stream = |file: &mut File, name: &str| {
        let rewound = file.rewind().map(|()| file);
        batch.put_reader(
            rewound.map_err(|source| store::Error::Io { tried: "read", path: name.into(), source })?,
            Path::new(name),
            false,
        )
    };
    let stdout = stream(&mut stdout, "standard output")?;
    let stderr = stream(&mut stderr, "standard error")?;
    let output = batch.capture(&out, &CaptureLimits::default())?;
    batch.commit()?;
    Ok(Kept { stdout, stderr, output, state })
}

/// Moves the state out of the output directory: it is no part of the result.
fn take_state(store: &Store, batch: &Batch<'_>, scratch: &Path, left: &Left<'_>) -> store::Result<Digest> {
    let (from, to) = (left.warm.left_in.to_path(&scratch.join("out")), scratch.join("state"));
    let moved = std::fs::rename(&from, &to);
    moved.map_err(|source| store::Error::Io { tried: "move", path: from, source })?;
    warm::take(store, batch, &to, left.warm, left.began_with)
}

/// A process writes its output where the store lies. One that failed while there was no room has not had its chance, and
/// what it says about it may be lost for the same reason.
fn refuse_full_disk(scratch: &Path) -> Result<(), Error> {
    let free_bytes = rustix::fs::statvfs(scratch).map_or(u64::MAX, |disk| disk.f_bavail * disk.f_frsize);
    if free_bytes >= LEAST_FREE_BYTES {
        return Ok(());
    }
    let source = io::ErrorKind::StorageFull.into();
    Err(Error::Store(store::Error::Full { path: scratch.to_owned(), source }))
}

/// Waits for the process, passing on what the user wishes meanwhile.
async fn sandboxed(
    engine: &Engine,
    action: &Action,
    request: Request,
    (stdout, stderr): (OwnedFd, OwnedFd),
    slot: &Slot<'_>,
    cancel: &Cancellation,
) -> Result<waders_sandbox::Outcome, Error> {
    let failed = |source| Error::Sandbox { label: action.label.clone(), source };
    let (sender, mut ended) = tokio::sync::oneshot::channel();
    let done = move |outcome| drop(sender.send(outcome));
    let spawner = engine.spawner().await.map_err(failed)?;
    let running = spawner.start_step(&request, stdout, stderr, slot.others_to_start(), done).map_err(failed)?;
    let mut known = CancelLevel::None;
    loop {
        tokio::select! {
            outcome = &mut ended => {
                let lost = |_| Error::Bug("the spawner forgot a process".to_owned());
                return outcome.map_err(lost)?.map_err(failed);
            }
            level = cancel.exceeds(known) => {
                known = level;
                if level == CancelLevel::Kill { running.kill() } else { running.interrupt() }
            }
        }
    }
}

fn request(engine: &Engine, action: &Action, images: &[Mount], out: &Path, slot: &Slot<'_>) -> Request {
    let mut mounts = images.to_vec();
    let writable = |at: &str, source| Mount { at: at.into(), kind: MountKind::Writable { source } };
    mounts.push(writable("/out", out.to_owned()));
    mounts.extend(action.outputs_at.iter().map(|(at, dir)| writable(at, dir.to_path(out))));
    let (bytes, inodes) = (engine.settings.scratch_bytes, engine.settings.scratch_inodes);
    for at in ["/tmp", HOME] {
        mounts.push(Mount { at: at.into(), kind: MountKind::Scratch { bytes, inodes } });
    }

    let mut env = action.env.clone();
    if let Some(variable) = &action.slot_variable {
        env.insert(variable.clone(), slot.number().to_string());
    }
    if let Some(share) = &action.share {
        let processes = if slot.idle() == 0 { 0 } else { share.at_most.min(slot.idle() + 1) };
        env.insert(share.variable.clone(), processes.to_string());
    }
    Request {
        argv: action.argv.clone(),
        env,
        cwd: action.cwd.to_path(Path::new("/src")),
        mounts,
        network: if action.network { Network::Host } else { Network::Loopback },
        limits: limits(&engine.settings, action.timeout),
        isolation: engine.settings.isolation,
        stdio: if action.interactive { Stdio::Inherited } else { Stdio::Captured },
    }
}

fn limits(settings: &Settings, timeout: Option<Duration>) -> Limits {
    Limits {
        timeout,
        grace: settings.grace,
        processes: settings.processes,
        open_files: settings.open_files,
        file_bytes: settings.file_bytes,
        memory_bytes: settings.memory_bytes,
    }
}

/// A file whose place on the host no process can read off its descriptor.
fn nameless_file(dir: &Path) -> io::Result<File> {
    let path = dir.join("stream");
    let file = File::options().read(true).append(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Of an interactive step nothing is kept: it gets the caller's own.
fn streams(stdout: &File, stderr: &File, interactive: bool) -> io::Result<(OwnedFd, OwnedFd)> {
    if interactive {
        return Ok((io::stdout().as_fd().try_clone_to_owned()?, io::stderr().as_fd().try_clone_to_owned()?));
    }
    Ok((stdout.as_fd().try_clone_to_owned()?, stderr.as_fd().try_clone_to_owned()?))
}

/// Any uid may fill it: the sandbox's is not the caller's when the caller is root.
fn make_writable_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(dir)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o777))
}

fn exit(exit: waders_sandbox::Exit) -> Exit {
    match exit {
        waders_sandbox::Exit::Code(code) => Exit::Code(code),
        waders_sandbox::Exit::Signal(signal) => Exit::Signal(signal),
        waders_sandbox::Exit::TimedOut => Exit::TimedOut,
        waders_sandbox::Exit::Interrupted => Exit::Interrupted,
        waders_sandbox::Exit::OutOfMemory => Exit::OutOfMemory,
    }
}
