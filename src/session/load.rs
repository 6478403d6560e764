//! Loads the repository: in Rust, and where that does not do, with real Python. Without Python, what needs it is broken.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::time::SystemTime;

use crate::base::RelPath;
use crate::build_file::BuildFile;
use crate::session::{Error, Session, evaluate};
use crate::store::Listings;
use crate::targets::{self, Diagnostic, DirectoryCache, LoadContext, Loaded, Topic};
use crate::tracked::FileStamp;

pub fn load(session: &mut Session) -> Result<Loaded, Error> {
    let mut loaded = load_with(session, &BTreeMap::new());
    let Some(question) = loaded.python_request.take() else { return Ok(loaded) };
    match evaluate::ask(session, &question) {
        Ok(answers) => Ok(load_with(session, &answers)),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            let beyond = |found: &&mut Diagnostic| found.topic == Topic::NeedsPython;
            let found = loaded.errors.iter_mut().map(|error| &mut error.diagnostic);
            found.filter(beyond).for_each(|found| explain(found, &error));
            Ok(loaded)
        }
    }
}

/// Without a store, as where the user's directory cannot be written, nothing is remembered.
fn load_with(session: &mut Session, answers: &BTreeMap<RelPath, BuildFile>) -> Loaded {
    let store = session.services.open_store().ok();
    let listings = store.as_ref().and_then(|store| store.listings(session.build_root()).ok());
    let remembered = listings.as_ref().map(|listings| listings as &dyn DirectoryCache);
    let vars = &session.environment().vars;
    let context = LoadContext {
        env: &|name| vars.get(name).cloned(),
        python_results: answers,
        directory_cache: remembered.unwrap_or(&()),
        tracker: session.context.tracker.clone(),
    };
    let loaded = targets::load(session.build_root(), session.config(), &context);
    if let (Some(store), Some(listings)) = (&store, &listings) {
        // The next run lists again: it takes longer, and nothing else.
        let _ = store.save_listings(listings);
    }
    loaded
}

impl DirectoryCache for Listings {
    fn get(&self, dir: &RelPath, now: &Metadata) -> Option<&[u8]> {
        Listings::known(self, dir, &FileStamp::from_metadata(now))
    }

    fn insert(&self, dir: &RelPath, then: &Metadata, at: SystemTime, listing: Vec<u8>) {
        Listings::learn(self, dir.clone(), FileStamp::from_metadata(then), at, listing);
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
