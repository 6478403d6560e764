//! Fixed-output steps: bytes from anywhere, checked against a hash that was known before, unpacked into the store.

use std::io::{Seek, Write};

use crate::action::{Fetch, Location};
use crate::base::Digest;
use crate::engine::{Engine, Error};

pub fn fetch(engine: &Engine, step: &Fetch) -> Result<Digest, Error> {
    let file = download(engine, step)?;
    let unpack = engine.unpackers.get(step.unpack);
    let unpack = unpack.ok_or_else(|| Error::Bug(format!("nothing unpacks `{}`", step.unpack)))?;
    let unpacked = unpack(&engine.store, file.path(), &step.file_name);
    unpacked.map_err(|source| Error::Unpack { label: step.label.clone(), source })
}

/// Tries each location; the last one's error is told, since the first ones are usually mirrors.
fn download(engine: &Engine, step: &Fetch) -> Result<tempfile::NamedTempFile, Error> {
    let dir = engine.store.tmp_dir();
    let mut file =
        tempfile::NamedTempFile::new_in(dir).map_err(|source| Error::Prepare { path: dir.to_owned(), source })?;
    let mut last = Error::NoLocation(step.label.clone());
    for location in &step.locations {
        match from(engine, step, location, file.as_file_mut()) {
            Ok(()) => return Ok(file),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn from(engine: &Engine, step: &Fetch, location: &Location, file: &mut std::fs::File) -> Result<(), Error> {
    let failed = |source| Error::Fetch { label: step.label.clone(), source };
    let url = match location {
        Location::Url(url) => url.clone(),
        Location::Listing { page, file_name } => {
            let links = engine.client.listing(page).map_err(failed)?;
            let link = links.into_iter().find(|link| link.file_name == *file_name);
            link.ok_or_else(|| Error::NotListed { file_name: file_name.clone(), page: page.clone() })?.url
        }
    };
    let rewound = file.rewind().and_then(|()| file.set_len(0));
    rewound.map_err(|source| Error::Prepare { path: engine.store.tmp_dir().to_owned(), source })?;
    engine.client.download(&url, &step.sha256, step.size_bytes, file).map_err(failed)?;
    file.flush().map_err(|source| Error::Prepare { path: engine.store.tmp_dir().to_owned(), source })
}
