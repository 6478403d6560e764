//! Steps and what each needs. Acyclic by construction: a step can only name steps that were added before it.

use petgraph::graph::{DiGraph, NodeIndex};

use crate::action::step::{Action, Source, Step};

pub type StepId = NodeIndex;

/// Edges point from a step to the steps that use its output.
#[derive(Default)]
pub struct ActionGraph {
    steps: DiGraph<Step, ()>,
}

impl ActionGraph {
    pub fn add(&mut self, step: Step) -> StepId {
        let needs = needs(&step);
        let id = self.steps.add_node(step);
        for need in needs {
            self.steps.update_edge(need, id, ());
        }
        id
    }

    pub fn step(&self, id: StepId) -> &Step {
        &self.steps[id]
    }

    pub fn ids(&self) -> impl Iterator<Item = StepId> {
        self.steps.node_indices()
    }

    /// The steps whose outputs this one uses.
    pub fn needs(&self, id: StepId) -> impl Iterator<Item = StepId> {
        self.steps.neighbors_directed(id, petgraph::Direction::Incoming)
    }

    pub fn used_by(&self, id: StepId) -> impl Iterator<Item = StepId> {
        self.steps.neighbors_directed(id, petgraph::Direction::Outgoing)
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
    action.images.values().copied().chain([action.input_root])
}
