//! Toolchains that a server knows: where all results are cached, no package of a toolchain is downloaded. The server knows the digests
//! of the trees that are mounted, from which the keys of all steps are computed. If a step has to run, the toolchain is made then.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::{Digest, ErrorKind, error_chain};
use crate::engine::MakeFailure;
use crate::engine::local::index;
use crate::engine::remote::RemoteCache;
use crate::net::Client;
use crate::session::{Error, Session};
use crate::store::Store;
use crate::toolchain::{self, ProviderContext, Record, Toolchain, ToolchainSettings};

/// The trees of a toolchain, as a note on a server and in the index of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// The digest of the whole tree.
    toolchain: Digest,
    /// The tree of each mount point.
    mounts: BTreeMap<String, Digest>,
}

/// The toolchain of locked records as a server knows it, if its trees are not in the store. `None` if they are, and if no server knows
/// it.
pub(super) fn find(
    session: &mut Session,
    settings: &ToolchainSettings,
    records: Vec<Record>,
) -> Result<Option<Toolchain>, Error> {
    // What the store lost is made at once.
    if session.services.verifies_sources() {
        return Ok(None);
    }
    let engine = session.services.open_engine()?;
    let Some(remote) = engine.remote.clone() else { return Ok(None) };
    let (store, key) = (engine.store.clone(), key(&records));
    if toolchain::stored(&records, &store)?.is_some() {
        return Ok(None);
    }
    let Some(known) = known(session, &store, &remote, key)? else { return Ok(None) };
    let found = toolchain::toolchain(&records, known.mounts.clone(), known.toolchain);
    let (client, settings) = (session.context.http_client(), settings.clone());
    let make = move || make(&store, &client, &settings, &records, key, &known);
    engine.late_inputs.add("toolchain", Box::new(make));
    Ok(Some(found))
}

/// Stores a toolchain that this machine has on the server, if results are stored there.
pub(super) fn publish(session: &mut Session, records: &[Record], toolchain: &Toolchain) -> Result<(), Error> {
    if let Some(remote) = &session.services.open_engine()?.remote {
        remote.renew_note(key(records), || {
            let known = Known { toolchain: toolchain.digest, mounts: toolchain.mounts.clone() };
            serde_json::to_string(&known).expect("digests and texts always serialize")
        });
    }
    Ok(())
}

fn key(records: &[Record]) -> [u8; 32] {
    let trees: Vec<String> = records.iter().map(|record| record.tree.to_string()).collect();
    index::key("toolchain", &trees.join(" "))
}

/// What an earlier run learnt, or else what the server knows.
fn known(session: &Session, store: &Store, remote: &Arc<RemoteCache>, key: [u8; 32]) -> Result<Option<Known>, Error> {
    if let Some(known) = index::get(store, key)? {
        return Ok(Some(known));
    }
    let note = session.services.runtime().block_on(remote.fetch_note(key));
    let known: Option<Known> = note.and_then(|note| serde_json::from_str(&note).ok());
    if let Some(known) = &known {
        index::put(store, key, known)?;
    }
    Ok(known)
}

/// Makes the toolchain in the store. It must be the one that the server knows, because keys were computed from that.
fn make(
    store: &Store,
    client: &Client,
    settings: &ToolchainSettings,
    records: &[Record],
    key: [u8; 32],
    known: &Known,
) -> Result<(), MakeFailure> {
    let failed =
        |error: toolchain::Error| MakeFailure { why: error_chain(&error), kind: error.kind(), hint: error.hint() };
    let context = ProviderContext::new(store, client, settings, true);
    let made = toolchain::provide_locked(records, &context).map_err(failed)?;
    if (made.digest, &made.mounts) == (known.toolchain, &known.mounts) {
        return Ok(());
    }
    store.index_remove(&key).map_err(|error| failed(error.into()))?;
    Err(MakeFailure {
        why: "the server of the remote cache states other digests for it".to_owned(),
        kind: ErrorKind::WrongBytes,
        hint: Some("find out who can write to the server; without `remote_cache_read`, it is not asked".to_owned()),
    })
}
