//! Steps whose inputs are not in the store: it lost them, or only their digests were known so far. What the server has is
//! downloaded; for the rest, the steps that make it are carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Execution, StepResult, blocking};
use crate::action::{Step, StepId};
use crate::base::Digest;
use crate::engine::Error;

impl Execution {
    /// Carries out a step after an input of it was missing in the store.
    pub(super) async fn restore(
        self: Arc<Self>,
        id: StepId,
        trees: &BTreeMap<StepId, Digest>,
        lost: Error,
    ) -> Result<StepResult, Error> {
        if self.make_late_inputs().await? {
            match self.carry_out(id, trees).await {
                Err(error) if error.missing().is_some() => {}
                result => return result,
            }
        }
        let made = self.restore_inputs(id).await?;
        if trees.iter().any(|(need, tree)| made.get(need).is_some_and(|made| made != tree)) {
            return Err(Error::NotReproduced { label: self.label(id).to_string(), cause: Box::new(lost) });
        }
        self.carry_out(id, trees).await
    }

    /// Makes the inputs that no step makes, if that was postponed. Returns whether it was.
    async fn make_late_inputs(&self) -> Result<bool, Error> {
        let engine = self.engine.clone();
        blocking(move || engine.late_inputs.make()).await
    }

    /// Makes the inputs of a step complete, one step after the other, so that what several need is made once. Returns the trees.
    async fn restore_inputs(&self, id: StepId) -> Result<BTreeMap<StepId, Digest>, Error> {
        let _guard = self.repair.lock().await;
        let repeated = self.steps_to_repeat(id).await?;
        let mut made: BTreeMap<StepId, Digest> = BTreeMap::new();
        for need in self.graph.transitive_needs(id) {
            let known = self.known_result(need).filter(|_| !repeated.contains(&need));
            let tree = match known {
                Some(tree) => tree,
                None => {
                    let result = match self.graph.step(need) {
                        Step::Fetch(fetch) => self.fetch(need, fetch, false).await,
                        Step::Derive(derive) => self.derive(need, derive, &made, false).await,
                        Step::Run(action) => self.run(need, action, &made, false).await,
                    };
                    self.usable(need, result.map_err(Arc::new))?
                }
            };
            made.insert(need, tree);
        }
        Ok(made)
    }

    /// The steps whose output is incomplete and not on the server, and that a step needs for its inputs. What is only needed for
    /// outputs that are complete is not looked at.
    async fn steps_to_repeat(&self, id: StepId) -> Result<BTreeSet<StepId>, Error> {
        let mut repeated = BTreeSet::new();
        let mut left: Vec<StepId> = self.graph.needs(id).collect();
        let mut seen = BTreeSet::new();
        while let Some(need) = left.pop() {
            if !seen.insert(need) {
                continue;
            }
            let Some(tree) = self.known_result(need) else { continue };
            if !self.is_available(tree).await? {
                repeated.insert(need);
                left.extend(self.graph.needs(need));
            }
        }
        Ok(repeated)
    }

    async fn is_available(&self, tree: Digest) -> Result<bool, Error> {
        if self.engine.store.is_complete(tree)? {
            return Ok(true);
        }
        match &self.engine.remote {
            Some(remote) => Ok(remote.complete([tree]).await && self.engine.store.is_complete(tree)?),
            None => Ok(false),
        }
    }

    /// The tree of a step that has ended with success.
    fn known_result(&self, id: StepId) -> Option<Digest> {
        let result = self.cells[id.index()].get()?.clone();
        self.usable(id, result).ok()
    }
}
