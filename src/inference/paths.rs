//! How one target comes to depend on another: the paths between them, the shortest first. Breadth first, each edge
//! walked on from once, so that there are no more steps than pairs of edges that meet. Which paths are found, and in
//! which order, is as in Pants.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::inference::Dependencies;
use crate::inference::numbered::Number;
use crate::targets::{Address, TargetGraph};

pub struct Paths<'a> {
    graph: &'a TargetGraph,
    dependencies: &'a Dependencies,
    /// By target, what it depends on, in the order of walking.
    next: HashMap<Number, Vec<Number>>,
    /// Of the ends asked for so far, who can reach them.
    reaching: BTreeMap<Number, Vec<bool>>,
}

/// A target on a path, and the step before it.
struct Step {
    target: Number,
    before: Option<usize>,
}

impl<'a> Paths<'a> {
    pub fn new(graph: &'a TargetGraph, dependencies: &'a Dependencies) -> Paths<'a> {
        Paths { graph, dependencies, next: HashMap::new(), reaching: BTreeMap::new() }
    }

    pub fn between(&mut self, from: &Address, to: &Address) -> Vec<Vec<&'a Address>> {
        let (Some(from), Some(to)) = (self.dependencies.number(from), self.dependencies.number(to)) else {
            return Vec::new();
        };
        if from == to {
            return vec![vec![self.dependencies.address(from)]];
        }
        let dependencies = self.dependencies;
        self.reaching.entry(to).or_insert_with(|| dependencies.reaching(to));
        if !self.reaching[&to][from as usize] {
            return Vec::new();
        }
        self.walk(from, to)
    }

    /// Only towards targets that can reach the end: the others are on no path.
    fn walk(&mut self, from: Number, to: Number) -> Vec<Vec<&'a Address>> {
        let mut found = Vec::new();
        let mut walked: HashSet<(Option<Number>, Number)> = HashSet::new();
        let mut steps = vec![Step { target: from, before: None }];
        let mut at = 0;
        while let Some(Step { target, before }) = steps.get(at) {
            let (target, edge) = (*target, (before.map(|before| steps[before].target), *target));
            if walked.insert(edge) {
                for next in self.next(target) {
                    if next == to {
                        found.push(self.path(&steps, at, to));
                    } else if self.reaching[&to][next as usize] {
                        steps.push(Step { target: next, before: Some(at) });
                    }
                }
            }
            at += 1;
        }
        found
    }

    fn next(&mut self, target: Number) -> Vec<Number> {
        let (graph, dependencies) = (self.graph, self.dependencies);
        let listed = || {
            let listed = dependencies.listed(graph, dependencies.address(target));
            listed.into_iter().filter_map(|address| dependencies.number(address)).collect()
        };
        self.next.entry(target).or_insert_with(listed).clone()
    }

    fn path(&self, steps: &[Step], last: usize, to: Number) -> Vec<&'a Address> {
        let mut path = vec![self.dependencies.address(to)];
        let mut at = Some(last);
        while let Some(step) = at {
            path.push(self.dependencies.address(steps[step].target));
            at = steps[step].before;
        }
        path.reverse();
        path
    }
}
