//! Loads the repository: in Rust, and BUILD files that need it with real Python. If Python is unavailable, those files are
//! reported as errors.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::base::{RelPath, error_chain};
use crate::build_file::BuildFile;
use crate::config::typed::ReadingSettings;
use crate::session::{Context, Error, Session, evaluate, implied_targets};
use crate::store::{self, Store};

use crate::targets::{self, Diagnostic, DirectoryCache, LoadContext, Loaded, TargetGraph, Topic};
use crate::tracked::FileStamp;

pub(super) fn load(session: &mut Session) -> Result<Loaded, Error> {
    // Without a store, for instance in a read-only home directory, nothing is cached.
    let store = session.services.open_store().ok();
    let (mut loaded, implied) = load_here(&session.context, store.as_deref())?;
    let Some(question) = loaded.python_request.take() else { return Ok(loaded) };
    match evaluate::ask(session, &question) {
        Ok(answers) => Ok(load_with(&session.context, store.as_deref(), &answers, &implied)),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            let beyond = |found: &&mut Diagnostic| found.topic == Topic::NeedsPython;
            let found = loaded.errors.iter_mut().map(|error| &mut error.diagnostic);
            found.filter(beyond).for_each(|found| explain(found, &error));
            Ok(loaded)
        }
    }
}

/// The targets that can be loaded at once and without a message, for completions: BUILD files that need Python have none, and no store
/// is created.
pub fn load_quietly(context: &Context) -> TargetGraph {
    let exists = |dir: &PathBuf| context.tracker.metadata(dir).is_ok();
    let store = context.store_dir().ok().filter(exists).and_then(|dir| Store::open(&dir).ok());
    load_here(context, store.as_ref()).map(|(loaded, _)| loaded.graph).unwrap_or_default()
}

/// Loads what needs no Python, and the texts of implied BUILD files.
fn load_here(context: &Context, store: Option<&Store>) -> Result<(Loaded, BTreeMap<RelPath, String>), Error> {
    let mut implied = BTreeMap::new();
    let mut loaded = load_with(context, store, &BTreeMap::new(), &implied);
    if ReadingSettings::parse(&context.config).implied_targets && loaded.errors.is_empty() {
        implied = implied_targets::texts(context, &loaded.graph)?;
        loaded = load_with(context, store, &BTreeMap::new(), &implied);
    }
    Ok((loaded, implied))
}

fn load_with(
    context: &Context,
    store: Option<&Store>,
    answers: &BTreeMap<RelPath, BuildFile>,
    implied: &BTreeMap<RelPath, String>,
) -> Loaded {
    let listings = store.and_then(|store| store.directory_cache(&context.build_root).ok());
    let remembered = listings.as_ref().map(|listings| listings as &dyn DirectoryCache);
    let vars = &context.environment.vars;
    let load_context = LoadContext {
        env: &|name| vars.get(name).cloned(),
        python_results: answers,
        directory_cache: remembered.unwrap_or(&()),
        implied_files: implied,
        is_ci: context.environment.is_ci(),
        tracker: context.tracker.clone(),
    };
    let loaded = targets::load(&context.build_root, &context.config, &load_context);
    if let (Some(store), Some(listings)) = (store, &listings) {
        // If this fails, the next run lists directories again.
        let _ = store.save_directory_cache(listings);
    }
    loaded
}

impl DirectoryCache for store::DirectoryCache {
    fn get(&self, dir: &RelPath, now: &Metadata) -> Option<&[u8]> {
        store::DirectoryCache::get(self, dir, &FileStamp::from_metadata(now))
    }

    fn insert(&self, dir: &RelPath, then: &Metadata, at: SystemTime, listing: Vec<u8>) {
        store::DirectoryCache::insert(self, dir.clone(), FileStamp::from_metadata(then), at, listing);
    }
}

/// Adds the reason why Python could not evaluate the file.
fn explain(found: &mut Diagnostic, error: &Error) {
    let reason = error_chain(error);
    found.message = format!("{}; and it could not be evaluated by Python: {reason}", found.message);
    found.hint = error.hint();
}
