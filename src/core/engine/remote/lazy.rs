//! Outputs that are known and not downloaded yet: where they are on the server, and how they are brought when a step needs them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::engine::remote::entry::Parts;
use crate::engine::remote::transfer::blocking;
use crate::engine::remote::trees::{self, TreeFile};
use crate::engine::remote::{DigestFunction, DigestMap, Error, RemoteCache, RemoteDigest, Wanted};
use crate::store::{self, Node, Store};

/// The kind of the index payloads that say where a tree is on a server.
pub(in crate::engine) const PLACES: &str = "remote-tree-1";

/// Where a tree is on a server: the message `Tree`, and the BLAKE3 digests of its files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    sha256: bool,
    tree: (String, u64),
    digests: Option<(String, u64)>,
}

impl Place {
    pub(super) fn new(function: DigestFunction, parts: &Parts) -> Place {
        let text = |digest: RemoteDigest| (digest.hex(), digest.size_bytes);
        Place { sha256: function == DigestFunction::Sha256, tree: text(parts.tree), digests: parts.digests.map(text) }
    }
}

fn digest((hex, size_bytes): &(String, u64)) -> Option<RemoteDigest> {
    let hash = *blake3::Hash::from_hex(hex).ok()?.as_bytes();
    Some(RemoteDigest { hash, size_bytes: *size_bytes })
}

/// Records where the files of a tree are.
pub(super) fn remember(
    store: &Store,
    map: &DigestMap,
    function: DigestFunction,
    tree: Digest,
    place: Place,
    files: &[TreeFile],
) -> store::Result<()> {
    if function == DigestFunction::Sha256 {
        map.claim(&files.iter().map(|file| (file.local, file.remote.hash)).collect::<Vec<_>>())?;
    }
    let value = serde_json::to_vec(&place).expect("texts and numbers always serialize");
    store.save_notes(PLACES, &[(tree, value)])
}

/// Downloads what the store does not have of a tree. Returns whether it is complete now.
pub(super) async fn complete(cache: &RemoteCache, tree: Digest) -> Result<bool, Error> {
    let function = cache.connection.capabilities().await?.digest_function;
    if cache.store.directory(tree).is_err() && !bring_levels(cache, tree, function).await? {
        return Ok(false);
    }
    let (store, map) = (cache.store.clone(), cache.map.clone());
    let wanted = blocking(move || Ok(wanted(&store, &map, function, tree)?)).await?;
    let Some(wanted) = wanted else { return Ok(false) };
    cache.connection.download(&cache.store, &wanted).await?;
    Ok(true)
}

/// The files of a tree that the store does not have; `None` if a level or the place of a file is unknown.
fn wanted(
    store: &Arc<Store>,
    map: &DigestMap,
    function: DigestFunction,
    tree: Digest,
) -> store::Result<Option<Vec<Wanted>>> {
    let tree = match store.tree(tree) {
        Err(error) if error.missing().is_some() => return Ok(None),
        tree => tree?,
    };
    let mut missing = Vec::new();
    for node in tree.nodes.values() {
        if let Node::File { digest, executable } = node
            && !store.contains(*digest)?
        {
            missing.push((*digest, *executable));
        }
    }
    let digests: Vec<Digest> = missing.iter().map(|(digest, _)| *digest).collect();
    let places = map.places(function, &digests)?;
    let wanted = |(local, executable): (Digest, bool)| {
        let remote = *places.get(&local)?;
        Some(Wanted { remote, local: Some(local), executable })
    };
    Ok(missing.into_iter().map(wanted).collect())
}

/// Stores the levels of a tree of which only the digest is known.
async fn bring_levels(cache: &RemoteCache, tree: Digest, function: DigestFunction) -> Result<bool, Error> {
    let place = cache.store.notes(PLACES, &[tree])?.remove(&tree);
    let place = place.and_then(|bytes| serde_json::from_slice::<Place>(&bytes).ok());
    let place = place.filter(|place| place.sha256 == (function == DigestFunction::Sha256));
    let Some(place) = place else { return Ok(false) };
    let Some(message_digest) = digest(&place.tree) else { return Ok(false) };
    let list = place.digests.as_ref().and_then(digest);
    let contents = cache.connection.read([message_digest].into_iter().chain(list)).await?;
    let message = contents.get(&message_digest).ok_or_else(|| cache.lost(message_digest))?;
    let list = match list {
        Some(list) => contents.get(&list).ok_or_else(|| cache.lost(list))?.as_slice(),
        None => b"",
    };
    let decoded = trees::decode(function, tree, message, list).map_err(|why| cache.unusable(&why))?;
    let (store, map) = (cache.store.clone(), cache.map.clone());
    blocking(move || {
        let batch = store.batch();
        for level in &decoded.levels {
            batch.put_level(level)?;
        }
        remember(&store, &map, function, tree, place, &decoded.files)?;
        Ok(batch.commit()?)
    })
    .await?;
    Ok(true)
}
