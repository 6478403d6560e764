//! The interface of an action cache, which stores outcomes by action key. The local implementation is in `local`.

use serde::{Deserialize, Serialize};

use crate::action::{Action, EncodedAction, Inputs, Outcome, Platform};
use crate::base::Digest;
use crate::engine::Error;

/// How an outcome can be read again later without its action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cached {
    /// It is stored under this action key.
    Under(Digest),
    /// No process had to run, because every file is known to be clean.
    Clean,
}

/// How much of an outcome's output the caller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the output only has to exist.
    Outcome,
    /// Every file.
    WholeOutput,
}

/// The part of an action that still has to run, if its tool checks each file independently.
pub enum Remaining {
    /// The whole action.
    All,
    /// The action without the files that are known to be clean; its input root is the same.
    Some(Box<Action>),
    /// Nothing, because all files are known to be clean.
    None,
}

/// Stores outcomes of actions by action key. An entry that cannot be read, or whose output is lost, is a miss.
pub trait ActionCache: Send + Sync {
    /// The outcome of the action with this key, if it is stored with as much of its output as the caller needs.
    fn get(&self, key: &Digest, needs: Needs) -> Result<Option<Outcome>, Error>;

    /// Stores a successful outcome and the encoded action that it belongs to.
    fn put(&self, action: &EncodedAction, outcome: &Outcome) -> Result<(), Error>;

    /// The signature that was stored for the entry under this key, as `signed_cache` made it.
    fn signature(&self, key: &Digest) -> Result<Option<Vec<u8>>, Error>;

    /// Stores a signature for the entry under this key. It replaces an earlier one.
    fn put_signature(&self, key: &Digest, envelope: &[u8]) -> Result<(), Error>;

    /// Stores an encoded action without an outcome, so that it can be compared with later ones.
    fn put_action(&self, action: &EncodedAction) -> Result<(), Error>;

    /// The encoded action with this key, if it was stored.
    fn action(&self, key: &Digest) -> Result<Option<EncodedAction>, Error>;

    /// The part of an action that still has to run. `key` is the key of the action.
    fn remaining(
        &self,
        action: &Action,
        inputs: &Inputs,
        platform: &Platform,
        key: &Digest,
    ) -> Result<Remaining, Error>;

    /// Records the files that `action` found clean. `whole` is the action that it is a part of, or the same action.
    fn record_clean(
        &self,
        whole: &Action,
        action: &Action,
        inputs: &Inputs,
        platform: &Platform,
        outcome: &Outcome,
    ) -> Result<(), Error>;

    /// The outcome of an action whose files are all known to be clean.
    fn clean_outcome(&self) -> Result<Outcome, Error>;
}
