//! All targets by a small integer id. Inference works with ids, because they are cheap to store and compare.
//! Ids are in the order of addresses. Dependencies are not recorded here.

use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::targets::{Address, Target, TargetGraph};

/// The position of a target among all targets, sorted by address.
pub type TargetId = u32;

/// The targets of a graph by id, with their sources indexed.
pub struct TargetIndex<'a> {
    /// The graph that was indexed.
    pub graph: &'a TargetGraph,
    targets: Vec<&'a Target>,
    /// By the id of a target generator: the targets that it generated.
    generated: Vec<Vec<TargetId>>,
    /// By file: the targets that have it as a source, target generators excluded.
    owners: FxHashMap<&'a RelPath, Vec<TargetId>>,
}

impl<'a> TargetIndex<'a> {
    /// Indexes the targets of `graph`.
    pub fn new(graph: &'a TargetGraph) -> TargetIndex<'a> {
        let targets: Vec<&Target> = graph.targets().collect();
        let ids = graph.positions();
        let generated_by = |target: &&Target| {
            let generated = graph.generated_by(&target.address).iter();
            let mut generated: Vec<TargetId> = generated.filter_map(|address| ids.get(address).copied()).collect();
            generated.sort_unstable();
            generated
        };
        let owners = || {
            let mut owners: FxHashMap<&RelPath, Vec<TargetId>> = FxHashMap::default();
            for (target, id) in targets.iter().zip(0..) {
                if graph.generated_by(&target.address).is_empty() {
                    target.sources.iter().for_each(|source| owners.entry(source).or_default().push(id));
                }
            }
            owners
        };
        let (generated, owners) = rayon::join(|| targets.iter().map(generated_by).collect(), owners);
        TargetIndex { graph, targets, generated, owners }
    }

    /// The number of targets.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no targets.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The target with this id.
    pub fn get(&self, id: TargetId) -> &'a Target {
        self.targets[id as usize]
    }

    /// The id of a target; `None` for unknown addresses.
    pub fn id(&self, address: &Address) -> Option<TargetId> {
        self.graph.positions().get(address).copied()
    }

    /// All targets, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (TargetId, &'a Target)> {
        (0..).zip(self.targets.iter().copied())
    }

    /// The targets that a target generator generated, sorted; empty for all other targets.
    pub fn generated_by(&self, id: TargetId) -> &[TargetId] {
        &self.generated[id as usize]
    }

    /// The targets that have this file as a source, sorted; without target generators that generated targets.
    pub fn owners(&self, file: &RelPath) -> &[TargetId] {
        self.owners.get(file).map_or(&[], Vec::as_slice)
    }
}
