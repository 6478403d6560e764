//! The graph of steps. It is acyclic by construction, because a step can only refer to steps that were added before it. Steps
//! are carried out in `engine`.

use std::collections::BTreeSet;

use petgraph::graph::{DiGraph, NodeIndex};

use crate::action::step::{Action, Source, Step};

/// The identity of a step in its graph.
pub type StepId = NodeIndex;

/// Edges point from a step to the steps that use its output.
#[derive(Clone, Default)]
pub struct ActionGraph {
    steps: DiGraph<Step, ()>,
}

impl ActionGraph {
    /// Adds a step after those that it needs.
    pub fn add(&mut self, step: Step) -> StepId {
        let needs = needs(&step);
        let id = self.steps.add_node(step);
        for need in needs {
            self.steps.update_edge(need, id, ());
        }
        id
    }

    /// The step with this identity, which must come from this graph.
    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id]
    }

    /// All steps, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = StepId> {
        self.steps.node_indices()
    }

    /// All steps that this one needs, directly or indirectly, in an order in which each follows those that it needs: ids increase
    /// along the edges.
    pub fn transitive_needs(&self, id: StepId) -> BTreeSet<StepId> {
        let mut needs = BTreeSet::new();
        let mut open = vec![id];
        while let Some(step) = open.pop() {
            open.extend(self.needs(step).filter(|need| needs.insert(*need)));
        }
        needs
    }

    /// The steps whose outputs this one uses.
    pub fn needs(&self, id: StepId) -> impl Iterator<Item = StepId> {
        self.steps.neighbors_directed(id, petgraph::Direction::Incoming)
    }
}

fn needs(step: &Step) -> Vec<StepId> {
    let sources: Vec<Source> = match step {
        Step::Fetch(_) => Vec::new(),
        Step::Run(action) => sources(action).collect(),
        Step::Derive(derive) => derive.parts.clone(),
    };
    let output = |source| match source {
        Source::Output(id) => Some(id),
        Source::Tree(_) => None,
    };
    sources.into_iter().filter_map(output).collect()
}

fn sources(action: &Action) -> impl Iterator<Item = Source> {
    action.command.images.values().copied().chain([action.command.input_root])
}
