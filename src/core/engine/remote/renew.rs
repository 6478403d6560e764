//! Results that this machine has and the server may have removed: servers remove what nobody asks for, and a machine that has a result
//! does not ask. So a machine that stores results stores each one again when the server has not been seen to have it for a week.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::action::EncodedAction;
use crate::base::Digest;
use crate::engine::remote::transfer::blocking;
use crate::engine::remote::{Error, RemoteCache};

/// The kind of the index payloads that say when a server last had a result.
pub(in crate::engine) const STORED: &str = "remote-stored-1";

/// When a server last had a result.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::engine) struct Stored {
    /// The action; `None` if the key of the payload is that of a tree.
    pub(in crate::engine) action: Option<Digest>,
    /// The address and the instance.
    server: String,
    /// Since 1970.
    minute: u64,
}

/// What a server has a result of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    Action(Digest),
    Tree([u8; 32]),
}

impl Known {
    /// The key of the note. Its hash alone counts.
    fn key(self) -> Digest {
        match self {
            Known::Action(key) => key,
            Known::Tree(key) => Digest::new(key, 0),
        }
    }
}

impl RemoteCache {
    /// Stores the result of an action that is in the local cache again, in the background, if it is time for that.
    pub fn renew(self: &Arc<Self>, key: &Digest, action: impl FnOnce() -> EncodedAction) {
        if self.is_due(Known::Action(*key)) {
            self.publish(action());
        }
    }

    /// Stores the digest of the tree of a step again, in the background, if it is time for that.
    pub fn renew_tree(self: &Arc<Self>, key: [u8; 32], tree: Digest) {
        if self.is_due(Known::Tree(key)) {
            self.publish_tree(key, tree);
        }
    }

    /// Stores a note again, in the background, if it is time for that.
    pub fn renew_note(self: &Arc<Self>, key: [u8; 32], note: impl FnOnce() -> String) {
        if self.is_due(Known::Tree(key)) {
            self.publish_note(key, note());
        }
    }

    fn is_due(&self, known: Known) -> bool {
        if !self.writes() {
            return false;
        }
        let key = known.key();
        let note = self.store.notes(STORED, &[key]).ok().and_then(|mut notes| notes.remove(&key));
        let stored = note.and_then(|note| serde_json::from_slice::<Stored>(&note).ok());
        let age =
            stored.filter(|stored| stored.server == self.server()).map(|stored| minute().checked_sub(stored.minute));
        // A time in the future was recorded by a wrong clock.
        age.flatten().is_none_or(|minutes| Duration::from_secs(minutes * 60) >= self.options.renew_after)
    }

    /// Records that the server has a result.
    pub(super) async fn remember_stored(&self, known: Known) -> Result<(), Error> {
        let action = match known {
            Known::Action(key) => Some(key),
            Known::Tree(_) => None,
        };
        let stored = Stored { action, server: self.server(), minute: minute() };
        let note = serde_json::to_vec(&stored).expect("digests and texts always serialize");
        let store = self.store.clone();
        blocking(move || Ok(store.save_notes(STORED, &[(known.key(), note)])?)).await
    }

    fn server(&self) -> String {
        format!("{} {}", self.connection.address(), self.connection.settings().instance_name)
    }
}

#[expect(clippy::disallowed_methods, reason = "only decides when a result is stored again")]
fn minute() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_secs() / 60
}
