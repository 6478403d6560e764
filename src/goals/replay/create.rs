//! Writes a bundle of a step that ran in this checkout.

use std::io::BufWriter;

use crate::action::EncodedAction;
use crate::base::Digest;
use crate::engine::ActionCache;
use crate::engine::local::LocalActionCache;
use crate::goals::Error;
use crate::goals::replay::ReplayError;
use crate::goals::replay::bundle::{About, FORMAT, MEMBERS, VERSION};
use crate::goals::why::history::{History, Occurrence};
use crate::goals::why::owners::Owners;
use crate::session::records::Records;
use crate::session::{self, Session};
use crate::store::{self, Objects, Store};

/// Writes a bundle of the step that the words of the command line name. Returns what was written.
pub(super) fn create(session: &mut Session, file: &str) -> Result<String, Error> {
    let words = session.context.specs.clone();
    let records = Records::open(session)?;
    let history = History::load(&records)?;
    let names = Owners::default().names(session, &history, &words)?;
    let mut steps = if words.is_empty() { history.last_run() } else { history.last_of(&names) };
    // A test is named like its file, which other steps may work on, too.
    if let Some(named) = steps.iter().position(|step| words == [step.step().label.clone()]) {
        steps = vec![steps[named]];
    }
    let step = match &steps[..] {
        [] => return Err(Error::NoRecordedStep(words.join(" "))),
        [step] => *step,
        several => {
            let labels = several.iter().map(|step| format!("`{}`", step.step().label)).collect();
            return Err(ReplayError::SeveralSteps(labels).into());
        }
    };
    let store = session.services.open_store()?;
    let (about, encoded, objects) = contents(&store, step)?;
    let path = session.environment().cwd.join(file);
    let phase = session.ui.console.phase(&format!("writing `{file}`"));
    let written = write(&store, &path, &about, &encoded, &objects);
    drop(phase);
    let bytes = written?;
    Ok(format!(
        "wrote `{file}` with the step `{}` of {}: {} files, {:.1} MB",
        about.step.label,
        step.shown_run(),
        objects.blobs.len(),
        bytes as f64 / 1e6
    ))
}

/// Everything that a bundle of this step contains.
fn contents(store: &std::sync::Arc<Store>, step: &Occurrence) -> Result<(About, EncodedAction, Objects), Error> {
    let record = step.step();
    let label = record.label.clone();
    let (Some(key), Some(output), Some(streams)) = (step.key(), record.output, record.streams) else {
        return Err(ReplayError::NoResult(label).into());
    };
    // Of a batch, a process may have run only on the files that were not known to be clean.
    let key = record.cache.part_key.unwrap_or(key);
    let encoded = LocalActionCache::new(store.clone()).action(&key).map_err(session::Error::from)?;
    let encoded = encoded.ok_or_else(|| ReplayError::NoResult(label.clone()))?;
    let not_repeatable = |why| ReplayError::NotRepeatable { label: label.clone(), why };
    let (command, inputs, _) = encoded.to_parts().map_err(|_| not_repeatable("another version of Waders ran it"))?;
    if command.terminal {
        return Err(not_repeatable("it had the terminal, so that its result depends on what the user typed").into());
    }
    let mut objects = Objects::default();
    let incomplete = |source| ReplayError::Incomplete { label: label.clone(), source };
    for tree in [inputs.root, output].into_iter().chain(inputs.images.into_values()) {
        store.collect_objects(tree, &mut objects).map_err(incomplete)?;
    }
    objects.blobs.extend(streams.map(|blob: Digest| (blob, false)));
    let mut about = About {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        goal: step.goal.clone(),
        key,
        step: record.clone(),
    };
    // Other steps are not part of the bundle.
    about.step.needs.clear();
    Ok((about, encoded, objects))
}

/// Writes a file next to the final one and renames it. Returns its size.
fn write(
    store: &Store,
    path: &std::path::Path,
    about: &About,
    encoded: &EncodedAction,
    objects: &Objects,
) -> Result<u64, Error> {
    let failed = |source| ReplayError::Write { path: path.to_owned(), source };
    let parent = path.parent().unwrap_or(path);
    // Readable by its owner only, because it contains the environment of the step.
    let file = tempfile::Builder::new().prefix(".waders-rewrite-").tempfile_in(parent).map_err(failed)?;
    let json = serde_json::to_vec_pretty(about).unwrap_or_default();
    let members = [&json[..], &encoded.command, &encoded.action];
    let members: Vec<(&str, &[u8])> = MEMBERS.into_iter().zip(members).collect();
    let written = store.write_bundle(BufWriter::new(file.as_file()), &members, objects);
    written.map_err(|source| match source {
        store::Error::Io { tried: "write", source, .. } => failed(source),
        source => ReplayError::Incomplete { label: about.step.label.clone(), source },
    })?;
    file.as_file().sync_all().map_err(failed)?;
    let bytes = file.as_file().metadata().map_err(failed)?.len();
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(bytes)
}
