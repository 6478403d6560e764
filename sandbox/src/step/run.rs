//! The program `waders-step`: reads the request, runs it and writes the output directory. Its files are described in `step`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{
    CANNOT_ISOLATE, NOT_RUN, OUT, OUT_REPORT, OUT_STDERR, OUT_STDOUT, OUT_TREE, REQUEST, STEP_FAILED, SUCCEEDED,
    StepReport, StepRequest, echo, output,
};
use crate::{Error, Exit, Isolation, Limits, MountKind, Outcome, Request, Spawner, TreeEntry, Unsupported};

/// Runs the request in `dir` and writes its output there. Returns the exit code of the program. The main function must begin
/// with [`spawner_main_if_asked`](crate::spawner_main_if_asked).
#[expect(clippy::print_stderr, reason = "the worker returns the standard error of the program")]
pub fn run(dir: &Path) -> u8 {
    let (report, code) = match try_run(dir) {
        Ok((report, code)) => (report, code),
        Err(message) => (StepReport::Failed(message), NOT_RUN),
    };
    match &report {
        StepReport::Ended { refused: None, .. } => {}
        StepReport::Ended { refused: Some(why), .. } => eprintln!("waders-step: cannot return the output: {why}"),
        StepReport::Unsupported(missing) => {
            eprintln!("waders-step: cannot isolate here: {missing}; {}", missing.remedy)
        }
        StepReport::Failed(message) => eprintln!("waders-step: {message}"),
    }
    let json = serde_json::to_vec(&report).expect("reports are plain data with string keys");
    match fs::create_dir_all(dir.join(OUT)).and_then(|()| fs::write(dir.join(OUT_REPORT), json)) {
        Ok(()) => code,
        Err(error) => {
            eprintln!("waders-step: cannot write `{OUT_REPORT}`: {error}");
            NOT_RUN
        }
    }
}

fn try_run(dir: &Path) -> Result<(StepReport, u8), String> {
    let bytes = fs::read(dir.join(REQUEST)).map_err(|error| format!("cannot read `{REQUEST}`: {error}"))?;
    let step: StepRequest =
        serde_json::from_slice(&bytes).map_err(|error| format!("cannot parse `{REQUEST}`: {error}"))?;
    if step.request.isolation == Isolation::None {
        return Err("the isolation level `none` is not permitted on a worker".to_owned());
    }
    if let Some(missing) = unenforceable(&step.request.limits) {
        return Ok((StepReport::Unsupported(missing), CANNOT_ISOLATE));
    }
    let request = prepare(dir, &step).map_err(|error| format!("cannot prepare the step: {error}"))?;
    let mut outcome = match run_in_sandbox(dir, &request) {
        Ok(outcome) => outcome,
        Err(RunError::Sandbox(Error::Unsupported(missing))) => {
            return Ok((StepReport::Unsupported(missing), CANNOT_ISOLATE));
        }
        Err(RunError::Sandbox(error)) => return Err(chain(&error)),
        Err(RunError::Io(error)) => return Err(format!("cannot write the output: {error}")),
    };
    let tree = dir.join(OUT_TREE);
    let refused = output::check(&tree).map_err(|error| format!("cannot read the output: {error}"))?;
    let is_complete = || step.required_output.as_ref().is_none_or(|path| tree.join(path).symlink_metadata().is_ok());
    let succeeded = matches!(outcome.exit, Exit::Code(code) if step.success_codes.contains(&code)) && is_complete();
    let code = if succeeded && refused.is_none() { SUCCEEDED } else { STEP_FAILED };
    let trace = outcome.trace.take();
    Ok((StepReport::Ended { outcome, refused, trace }, code))
}

/// The limit that this user cannot set as high as requested. A step could notice a lower one.
fn unenforceable(limits: &Limits) -> Option<Unsupported> {
    let possible = limits.clone().enforceable();
    let data = |limits: &Limits| limits.process_memory_bytes.unwrap_or(u64::MAX);
    let limits = [
        ("processes", limits.processes, possible.processes),
        ("open files", limits.open_files, possible.open_files),
        ("the size of a file", limits.file_bytes, possible.file_bytes),
        ("the memory of a process", data(limits), data(&possible)),
    ];
    let (name, wanted, possible) = limits.into_iter().find(|(_, wanted, possible)| possible < wanted)?;
    Some(Unsupported {
        feature: format!("a limit of {wanted} for {name}"),
        reason: format!("the hard limit of the worker is {possible}"),
        remedy: "raise the hard limit of the worker (ulimit -H), or lower the limit in the section `[sandbox]`"
            .to_owned(),
    })
}

/// Creates the directories of the output, and returns the request with absolute sources and complete copied trees.
fn prepare(dir: &Path, step: &StepRequest) -> io::Result<Request> {
    fs::create_dir_all(dir.join(OUT_TREE))?;
    for path in &step.output_dirs {
        let path = dir.join(OUT_TREE).join(path);
        fs::create_dir_all(&path)?;
        // The step may run as another user than this program.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
    }
    let mut request = step.request.clone();
    for mount in &mut request.mounts {
        match &mut mount.kind {
            MountKind::ReadOnly { source } | MountKind::Writable { source } => *source = dir.join(&*source),
            MountKind::Copied { source, entries, .. } => {
                *source = dir.join(&*source);
                if entries.is_empty() {
                    *entries = list(source)?;
                }
            }
            MountKind::Scratch { .. } => {}
        }
    }
    Ok(request)
}

/// Everything below a directory, with the same names in the copy.
fn list(root: &Path) -> io::Result<BTreeMap<String, TreeEntry>> {
    let utf8 = |path: &Path| {
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| io::Error::other(format!("`{}` is not UTF-8", path.display())))
    };
    let mut entries = BTreeMap::new();
    let mut pending: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        let mut is_empty = true;
        for entry in fs::read_dir(&dir)? {
            is_empty = false;
            let path = entry?.path();
            let metadata = path.symlink_metadata()?;
            let name = utf8(path.strip_prefix(root).unwrap_or(&path))?;
            if metadata.is_dir() {
                pending.push(path);
            } else if metadata.is_symlink() {
                entries.insert(name, TreeEntry::Symlink { target: utf8(&path.read_link()?)? });
            } else {
                let executable = metadata.permissions().mode() & 0o100 != 0;
                let (from, size_bytes) = (name.clone(), metadata.len());
                entries.insert(name, TreeEntry::File { from, size_bytes, executable, blake3: None });
            }
        }
        if is_empty && dir != root {
            entries.insert(utf8(dir.strip_prefix(root).unwrap_or(&dir))?, TreeEntry::Directory);
        }
    }
    Ok(entries)
}

enum RunError {
    Sandbox(Error),
    Io(io::Error),
}

fn run_in_sandbox(dir: &Path, request: &Request) -> Result<Outcome, RunError> {
    let mut stdout = unnamed_file(dir).map_err(RunError::Io)?;
    let mut stderr = unnamed_file(dir).map_err(RunError::Io)?;
    let outcome = Spawner::start().and_then(|spawner| {
        let copy = |file: &File| {
            file.try_clone().map_err(|error| Error::System {
                operation: "duplicate an output file".to_owned(),
                cause: error.into(),
            })
        };
        let running = spawner.run(request, copy(&stdout)?.into(), copy(&stderr)?.into())?;
        echo::while_running([&stdout, &stderr], || running.wait())
    });
    let outcome = outcome.map_err(RunError::Sandbox)?;
    for (file, name) in [(&mut stdout, OUT_STDOUT), (&mut stderr, OUT_STDERR)] {
        let copied = file.rewind().and_then(|()| io::copy(file, &mut File::create(dir.join(name))?));
        copied.map_err(RunError::Io)?;
    }
    Ok(outcome)
}

/// A file without a name, so that the step cannot read a path of the worker from its descriptor.
fn unnamed_file(dir: &Path) -> io::Result<File> {
    let path = dir.join(OUT).join("stream");
    let file = File::options().read(true).append(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
