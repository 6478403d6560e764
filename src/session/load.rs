//! Loads the repository: in Rust, and where that does not do, with real Python. Without Python, what needs it is broken.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::time::SystemTime;

use crate::base::RelPath;
use crate::build_file::BuildFile;
use crate::session::{Error, Session, evaluate};
use crate::store::DirectoryCache;
use crate::targets::files::Memory;
use crate::targets::{self, Diagnostic, Loaded, Topic, World};
use crate::tracked::FileStamp;

pub fn load(session: &mut Session) -> Result<Loaded, Error> {
    let mut loaded = load_with(session, &BTreeMap::new());
    let Some(question) = loaded.question.take() else { return Ok(loaded) };
    match evaluate::ask(session, &question) {
        Ok(answers) => Ok(load_with(session, &answers)),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            let beyond = |found: &&mut Diagnostic| found.topic == Topic::Beyond;
            let found = loaded.broken.iter_mut().map(|broken| &mut broken.diagnostic);
            found.filter(beyond).for_each(|found| explain(found, &error));
            Ok(loaded)
        }
    }
}

/// Without a store, as where the user's directory cannot be written, nothing is remembered.
fn load_with(session: &mut Session, answers: &BTreeMap<RelPath, BuildFile>) -> Loaded {
    let store = session.services.open_store().ok();
    let listings = store.as_ref().and_then(|store| store.directory_cache(session.build_root()).ok());
    let remembered = listings.as_ref().map(|listings| listings as &dyn Memory);
    let vars = &session.environment().vars;
    let world = World {
        env: &|name| vars.get(name).cloned(),
        answers,
        memory: remembered.unwrap_or(&()),
        tracker: session.context.tracker.clone(),
    };
    let loaded = targets::load(session.build_root(), session.config(), &world);
    if let (Some(store), Some(listings)) = (&store, &listings) {
        // The next run lists again: it takes longer, and nothing else.
        let _ = store.save_directory_cache(listings);
    }
    loaded
}

impl Memory for DirectoryCache {
    fn known(&self, dir: &RelPath, now: &Metadata) -> Option<&[u8]> {
        DirectoryCache::get(self, dir, &FileStamp::from_metadata(now))
    }

    fn learn(&self, dir: &RelPath, then: &Metadata, at: SystemTime, listing: Vec<u8>) {
        DirectoryCache::insert(self, dir.clone(), FileStamp::from_metadata(then), at, listing);
    }
}

/// Both reasons: why Rust does not evaluate it, and why Python could not.
fn explain(found: &mut Diagnostic, error: &Error) {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    found.message = format!("{}; and Python could not be asked: {reason}", found.message);
    found.hint = error.hint();
}
