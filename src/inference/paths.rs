//! The dependency paths between two targets, shortest first. The search is breadth first and continues only once from
//! each edge, so that the number of steps is bounded by the number of pairs of adjacent edges. It finds the same paths in
//! the same order as Pants. Printing is done by the goal `paths`.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::inference::Dependencies;
use crate::inference::target_index::TargetId;
use crate::targets::{Address, TargetGraph};

/// Finds dependency paths in one graph.
pub struct Paths<'a> {
    graph: &'a TargetGraph,
    dependencies: &'a Dependencies,
    /// Cache: the dependencies of a target in the order of traversal.
    next: HashMap<TargetId, Vec<TargetId>>,
    /// Cache: for the end of a path, which targets can reach it, by target id.
    reaching: BTreeMap<TargetId, Vec<bool>>,
}

/// A target on a path, and the index of the previous step.
struct Step {
    target: TargetId,
    previous: Option<usize>,
}

impl<'a> Paths<'a> {
    /// Prepares a search; `dependencies` must be complete for the targets that will be searched.
    pub fn new(graph: &'a TargetGraph, dependencies: &'a Dependencies) -> Paths<'a> {
        Paths { graph, dependencies, next: HashMap::new(), reaching: BTreeMap::new() }
    }

    /// All dependency paths from one target to another. A target has a path of length one to itself.
    pub fn between(&mut self, from: &Address, to: &Address) -> Vec<Vec<&'a Address>> {
        let (Some(from), Some(to)) = (self.dependencies.id(from), self.dependencies.id(to)) else {
            return Vec::new();
        };
        if from == to {
            return vec![vec![self.dependencies.address(from)]];
        }
        let dependencies = self.dependencies;
        self.reaching.entry(to).or_insert_with(|| dependencies.targets_reaching(to));
        if !self.reaching[&to][from as usize] {
            return Vec::new();
        }
        self.search(from, to)
    }

    /// Skips targets that cannot reach the end, because they are on no path.
    fn search(&mut self, from: TargetId, to: TargetId) -> Vec<Vec<&'a Address>> {
        let mut found = Vec::new();
        let mut visited: HashSet<(Option<TargetId>, TargetId)> = HashSet::new();
        let mut steps = vec![Step { target: from, previous: None }];
        let mut at = 0;
        while let Some(Step { target, previous }) = steps.get(at) {
            let (target, edge) = (*target, (previous.map(|previous| steps[previous].target), *target));
            if visited.insert(edge) {
                for next in self.next(target) {
                    if next == to {
                        found.push(self.path(&steps, at, to));
                    } else if self.reaching[&to][next as usize] {
                        steps.push(Step { target: next, previous: Some(at) });
                    }
                }
            }
            at += 1;
        }
        found
    }

    fn next(&mut self, target: TargetId) -> Vec<TargetId> {
        let (graph, dependencies) = (self.graph, self.dependencies);
        let ordered = || {
            let ordered = dependencies.in_pants_order(graph, dependencies.address(target));
            ordered.into_iter().filter_map(|address| dependencies.id(address)).collect()
        };
        self.next.entry(target).or_insert_with(ordered).clone()
    }

    fn path(&self, steps: &[Step], last: usize, to: TargetId) -> Vec<&'a Address> {
        let mut path = vec![self.dependencies.address(to)];
        let mut at = Some(last);
        while let Some(step) = at {
            path.push(self.dependencies.address(steps[step].target));
            at = steps[step].previous;
        }
        path.reverse();
        path
    }
}
