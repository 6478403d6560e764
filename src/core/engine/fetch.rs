//! Fixed-output steps: a file is downloaded from any of its locations, checked against its known hash and unpacked into the
//! store. HTTP is in `net`.

use std::fs::File;
use std::path::Path;

use crate::action::{Fetch, Location};
use crate::base::Digest;
use crate::engine::{Engine, Error};
use crate::net::{self, Expected, Registry, Stored};

/// Carries out a step. Returns the unpacked tree.
pub(super) fn fetch(engine: &Engine, step: &Fetch) -> Result<Digest, Error> {
    let scratch = engine.store.scratch()?;
    let path = scratch.path().join("download");
    download(engine, step, &path)?;
    let unpack = engine.unpackers.get(step.unpack);
    let unpack = unpack.ok_or_else(|| Error::Bug(format!("unknown unpacker `{}`", step.unpack)))?;
    let unpacked = unpack(&engine.store, &path, &step.file_name);
    unpacked.map_err(|source| Error::Unpack { label: step.label.clone(), source })
}

/// Tries the locations in order. If all fail, the most informative error is reported.
fn download(engine: &Engine, step: &Fetch, path: &Path) -> Result<(), Error> {
    let mut reported =
        Error::NotProvided { label: step.label.clone(), tried: step.locations.iter().map(place).collect() };
    for location in &step.locations {
        match download_from(engine, step, location, path) {
            Ok(()) => return Ok(()),
            Err(error) if rank(&error) > rank(&reported) => reported = error,
            Err(_) => {}
        }
    }
    Err(reported)
}

fn place(location: &Location) -> String {
    match location {
        Location::Url(url) => net::without_credentials(url),
        Location::Listing { page, .. } => net::without_credentials(page),
        Location::Registry { host, repository, .. } => format!("{host}/{repository}"),
    }
}

/// Ranks errors by how informative they are: a location without the file is the least, one that did not respond is more, and
/// one with wrong bytes is the most informative.
fn rank(error: &Error) -> u8 {
    match error {
        Error::NotProvided { .. } | Error::NotListed { .. } => 0,
        Error::Fetch { source, .. } if source.is_absent() => 0,
        Error::Fetch { source: net::Error::WrongHash { .. } | net::Error::WrongSize { .. }, .. } => 2,
        _ => 1,
    }
}

fn download_from(engine: &Engine, step: &Fetch, location: &Location, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Fetch { label: step.label.clone(), source };
    let expected = Expected { sha256: step.sha256.clone(), size_bytes: step.size_bytes };
    let prepare = |source| Error::Prepare { path: path.to_owned(), source };
    let url = match location {
        Location::Registry { host, repository, is_manifest } => {
            let stored = if *is_manifest { Stored::Manifest } else { Stored::Blob };
            let mut file = File::create(path).map_err(prepare)?;
            let pulled = pull(engine, host, repository, stored, &expected, &mut file);
            return pulled.map_err(|source| Error::Pull { label: step.label.clone(), host: host.clone(), source });
        }
        Location::Url(url) => url.clone(),
        Location::Listing { page, file_name } => {
            let links = engine.client.listing(page).map_err(failed)?;
            let link = links.into_iter().find(|link| link.file_name == *file_name);
            link.ok_or_else(|| Error::NotListed { file_name: file_name.clone(), page: place(location) })?.url
        }
    };
    let mut file = File::create(path).map_err(prepare)?;
    engine.client.download(&url, &expected, &mut file).map(drop).map_err(failed)
}

/// Pulls from a registry of images, with the login of the user.
fn pull(
    engine: &Engine,
    host: &str,
    repository: &str,
    stored: Stored,
    expected: &Expected,
    file: &mut File,
) -> Result<(), net::Error> {
    let login = (engine.logins)(host).map_err(|why| net::Error::Login { host: host.to_owned(), why })?;
    Registry::new(&engine.client, host, repository, login)?.pull(stored, expected, file).map(drop)
}
