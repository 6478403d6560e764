//! The three kinds of step: fetch something whose hash is known, run a process, derive a tree from other trees.

use crate::action::command::Command;
use crate::action::graph::StepId;
use crate::action::policy::Policy;
use crate::base::Digest;

/// Where a tree comes from: known now, or the output of an earlier step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    Tree(Digest),
    Output(StepId),
}

/// One node of a graph.
#[derive(Clone, Debug)]
pub enum Step {
    Fetch(Fetch),
    Run(Box<Action>),
    Derive(Derive),
}

impl Step {
    /// The step's name in progress and errors.
    pub fn label(&self) -> &str {
        match self {
            Step::Fetch(fetch) => &fetch.label,
            Step::Run(action) => &action.policy.label,
            Step::Derive(derive) => &derive.label,
        }
    }
}

/// One process in a sandbox.
#[derive(Clone, Debug)]
pub struct Action {
    /// What is executed: hashed whole.
    pub command: Command,
    /// How it is carried out: never hashed.
    pub policy: Policy,
}

/// A tree computed from trees by a pure function of this program.
#[derive(Clone, Debug)]
pub struct Derive {
    pub label: String,
    /// The function's name; the engine is given the functions by these names.
    pub recipe: &'static str,
    pub parameters: Vec<String>,
    pub parts: Vec<Source>,
}

/// A fixed-output step: the only kind that may use the network, since its bytes are checked against a known hash.
#[derive(Clone, Debug)]
pub struct Fetch {
    pub label: String,
    /// The published file name: that of a wheel says what it contains.
    pub file_name: String,
    /// Tried in order.
    pub locations: Vec<Location>,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
    pub size_bytes: Option<u64>,
    /// The name of the function that turns the bytes into a tree; the engine is given the functions by these names.
    pub unpack: &'static str,
}

/// Where a file can be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `file:` or `http(s):`.
    Url(String),
    /// A page that lists files (HTML links or PEP 691 JSON); the file is found there by its name.
    Listing { page: String, file_name: String },
}
