//! What the engine asks of a cache of outcomes. The local one is in `local`.

use serde::{Deserialize, Serialize};

use crate::action::{Action, EncodedAction, Inputs, Outcome, Platform};
use crate::base::Digest;
use crate::engine::Error;

/// How an outcome can be read again later by a caller who knows that the action would be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cached {
    /// Under this action key.
    Under(Digest),
    /// Nothing had to run: every file is known to be clean.
    Clean,
}

/// How much of an outcome's output the caller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Only that it exists.
    Outcome,
    /// Every file of it.
    WholeOutput,
}

/// What is left to run of an action whose tool checks each file independently.
pub enum Remaining {
    /// Everything.
    All,
    /// The action without the files that are known to be clean; its input root is the same.
    Some(Box<Action>),
    /// Nothing: all files are known to be clean.
    None,
}

/// Outcomes of earlier actions by action key. An entry that cannot be read, or whose output is lost, is a miss.
pub trait ActionCache: Send + Sync {
    /// The outcome of an action.
    fn get(&self, key: &Digest, needs: Needs) -> Result<Option<Outcome>, Error>;

    /// Stores a successful outcome, and the encoded action that it belongs to.
    fn put(&self, action: &EncodedAction, outcome: &Outcome) -> Result<(), Error>;

    /// The encoded action under a key, if its outcome was stored.
    fn action(&self, key: &Digest) -> Result<Option<EncodedAction>, Error>;

    /// What is left to run of an action. `key` is its own.
    fn remaining(
        &self,
        action: &Action,
        inputs: &Inputs,
        platform: &Platform,
        key: &Digest,
    ) -> Result<Remaining, Error>;

    /// Records which files `action` found clean. `whole` is the action that it is a part of, or the same.
    fn record_clean(
        &self,
        whole: &Action,
        action: &Action,
        inputs: &Inputs,
        platform: &Platform,
        outcome: &Outcome,
    ) -> Result<(), Error>;

    /// The outcome of an action that has nothing to check.
    fn clean_outcome(&self) -> Result<Outcome, Error>;
}
