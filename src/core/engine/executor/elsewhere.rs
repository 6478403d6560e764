//! Results that other machines share through a server: they are looked up where this machine has none, and those of this machine
//! are stored there.

use super::Execution;
use crate::action::{Action, EncodedAction, Inputs, Origin, Outcome, StepId};
use crate::base::Digest;
use crate::engine::action_cache::Needs;
use crate::engine::{CancelLevel, Error, tree_cache};

impl Execution {
    /// The outcome under a key, from the cache of this machine or else from that of the server, from where it is put into the
    /// former.
    pub(super) async fn cached_anywhere(
        &self,
        id: StepId,
        action: &Action,
        inputs: &Inputs,
        key: &Digest,
    ) -> Result<Option<(Origin, Outcome)>, Error> {
        if let Some(outcome) = self.cached(id, key)? {
            if let Some(remote) = &self.engine.remote {
                remote.renew(key, || EncodedAction::new(&action.command, inputs, &self.engine.platform));
            }
            return Ok(Some((Origin::Cached, outcome)));
        }
        let Some(remote) = &self.engine.remote else { return Ok(None) };
        let encoded = EncodedAction::new(&action.command, inputs, &self.engine.platform);
        let found = tokio::select! {
            found = remote.fetch(&encoded, self.output_needs(id)) => found,
            _ = self.cancellation.exceeds(CancelLevel::None) => return Err(Error::Interrupted),
        };
        if !found {
            return Ok(None);
        }
        // The server is not trusted to store only successes.
        let outcome = self.cached(id, key)?.filter(|outcome| action.policy.is_success(outcome.exit));
        Ok(outcome.map(|outcome| (Origin::CachedRemotely, outcome)))
    }

    /// The whole output is required only for a wanted step, because its caller reads it.
    pub(super) fn output_needs(&self, id: StepId) -> Needs {
        if self.wanted.contains(&id) { Needs::WholeOutput } else { Needs::Outcome }
    }

    /// The tree under a key of the index. The server knows only its digest, so it is used only where another step needs it: the
    /// keys of steps can then be computed, and if one of them has to run, the tree is made here.
    pub(super) async fn known_tree(&self, id: StepId, key: [u8; 32]) -> Result<Option<Digest>, Error> {
        let is_wanted = self.wanted.contains(&id);
        if let Some(tree) = tree_cache::get(&self.engine.store, key)? {
            // An earlier run may have learnt only the digest.
            let is_usable = !is_wanted || self.engine.store.directory(tree).is_ok();
            if let Some(remote) = &self.engine.remote {
                remote.renew_tree(key, tree);
            }
            return Ok(is_usable.then_some(tree));
        }
        let Some(remote) = self.engine.remote.as_ref().filter(|_| !is_wanted) else { return Ok(None) };
        let tree = remote.fetch_tree(key).await;
        if let Some(tree) = &tree {
            tree_cache::put_digest(&self.engine.store, key, tree)?;
        }
        Ok(tree)
    }

    /// Whether results of this machine are stored on a server.
    pub(super) fn publishes(&self) -> bool {
        self.engine.remote.as_ref().is_some_and(|remote| remote.options().write)
    }

    /// Stores the result of an action on the server, in the background. The server of a worker stores results under other keys.
    pub(super) fn publish(&self, origin: Origin, action: &EncodedAction) {
        if let Some(remote) = &self.engine.remote
            && matches!(origin, Origin::Ran | Origin::RanRemotely)
        {
            remote.publish(action.clone());
        }
    }

    /// Stores the digest of a tree on the server, in the background.
    pub(super) fn publish_tree(&self, key: [u8; 32], tree: Digest) {
        if let Some(remote) = self.engine.remote.as_ref().filter(|_| !self.repeats()) {
            remote.publish_tree(key, tree);
        }
    }
}
