//! The targets by number: what inference computes with, since numbers are cheap to keep and compare.
//! The order of numbers is the order of addresses.

use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::targets::{Address, Target, TargetGraph};

pub type Number = u32;

pub struct Numbered<'a> {
    pub graph: &'a TargetGraph,
    targets: Vec<&'a Target>,
    /// What each target generated.
    generated: Vec<Vec<Number>>,
    /// File, to the targets that have it for a source, generators left out.
    owners: FxHashMap<&'a RelPath, Vec<Number>>,
}

impl<'a> Numbered<'a> {
    pub fn new(graph: &'a TargetGraph) -> Numbered<'a> {
        let targets: Vec<&Target> = graph.targets().collect();
        let numbers = graph.positions();
        let generated_by = |target: &&Target| {
            let generated = graph.generated_by(&target.address).iter();
            let mut generated: Vec<Number> = generated.filter_map(|address| numbers.get(address).copied()).collect();
            generated.sort_unstable();
            generated
        };
        let owners = || {
            let mut owners: FxHashMap<&RelPath, Vec<Number>> = FxHashMap::default();
            for (target, number) in targets.iter().zip(0..) {
                if graph.generated_by(&target.address).is_empty() {
                    target.sources.iter().for_each(|source| owners.entry(source).or_default().push(number));
                }
            }
            owners
        };
        let (generated, owners) = rayon::join(|| targets.iter().map(generated_by).collect(), owners);
        Numbered { graph, targets, generated, owners }
    }

    pub fn len(&self) -> usize {
        self.targets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub fn get(&self, number: Number) -> &'a Target {
        self.targets[number as usize]
    }

    pub fn number(&self, address: &Address) -> Option<Number> {
        self.graph.positions().get(address).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Number, &'a Target)> {
        (0..).zip(self.targets.iter().copied())
    }

    /// What a generator generated, sorted; empty for every other target.
    pub fn generated_by(&self, number: Number) -> &[Number] {
        &self.generated[number as usize]
    }

    /// Who has this file for a source and was not replaced by what it generated; sorted.
    pub fn owners(&self, file: &RelPath) -> &[Number] {
        self.owners.get(file).map_or(&[], Vec::as_slice)
    }
}
