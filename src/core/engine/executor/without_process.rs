//! Steps without a process: downloads, and trees that are computed from others.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compared::tree_key;
use super::{Execution, StepResult, blocking, resolve};
use crate::action::{Derive, Event, Fetch, StepId, describe};
use crate::base::Digest;
use crate::engine::{CancelLevel, Error, RecordedResult, fetch, tree_cache};

impl Execution {
    /// Downloads a file and unpacks it. `reuse`: the result of an earlier run may be used.
    pub(super) async fn fetch(&self, id: StepId, step: &Fetch, reuse: bool) -> Result<StepResult, Error> {
        let key = tree_cache::fetch_key(step);
        if reuse && let Some(tree) = self.known_tree(id, key).await? {
            self.compare(id, tree_key(key), RecordedResult::Fetched(tree), Vec::new);
            return Ok(StepResult::from_tree(tree, false, reuse));
        }
        let _permit = self.downloads.acquire().await.expect("the semaphore is never closed");
        self.refuse_if_cancelled()?;
        let label: Arc<str> = step.label.as_str().into();
        (self.events)(Event::Started { id, label: label.clone() });
        tracing::debug!(step = %label, sha256 = step.sha256, "download started");
        let (engine, step) = (self.engine.clone(), step.clone());
        let download = blocking(move || {
            let tree = fetch::fetch(&engine, &step)?;
            tree_cache::put(&engine.store, key, &tree)?;
            Ok(tree)
        });
        // A download is abandoned without waiting: its thread ends with the process, and its scratch files are removed later.
        let tree = tokio::select! {
            tree = download => tree?,
            _ = self.cancellation.exceeds(CancelLevel::None) => return Err(Error::Interrupted),
        };
        self.publish_tree(key, tree);
        self.compare(id, tree_key(key), RecordedResult::Fetched(tree), Vec::new);
        Ok(StepResult::from_tree(tree, true, reuse))
    }

    /// Computes a tree from others. `reuse`: the result of an earlier run may be used.
    pub(super) async fn derive(
        &self,
        id: StepId,
        step: &Derive,
        trees: &BTreeMap<StepId, Digest>,
        reuse: bool,
    ) -> Result<StepResult, Error> {
        let parts: Vec<Digest> = step.parts.iter().map(|source| resolve(*source, trees)).collect();
        let key = tree_cache::derive_key(step, &parts);
        let inputs = || describe::derivation(step, &parts);
        let repeats = self.repeats();
        if reuse
            && !repeats
            && let Some(tree) = self.known_tree(id, key).await?
        {
            self.compare(id, tree_key(key), RecordedResult::Derived(tree), inputs);
            return Ok(StepResult::from_tree(tree, false, reuse));
        }
        self.write_inputs(&step.label, parts.iter().copied())?;
        let (engine, step, arguments) = (self.engine.clone(), step.clone(), parts.clone());
        let tree = blocking(move || {
            let recipe = engine.recipes.get(step.recipe);
            let recipe = recipe.ok_or_else(|| Error::Bug(format!("unknown recipe `{}`", step.recipe)))?;
            let tree = recipe(&engine.store, &step.parameters, &arguments);
            let tree = tree.map_err(|source| Error::Derive { label: step.label.clone(), source })?;
            if !repeats {
                tree_cache::put(&engine.store, key, &tree)?;
            }
            Ok(tree)
        });
        let tree = tree.await?;
        self.publish_tree(key, tree);
        self.compare(id, tree_key(key), RecordedResult::Derived(tree), inputs);
        let tree = match self.reference(tree_key(key)) {
            Some(RecordedResult::Derived(reference)) => *reference,
            _ => tree,
        };
        Ok(StepResult::from_tree(tree, true, reuse))
    }
}
