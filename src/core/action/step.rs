//! The three kinds of step: fetch a file whose hash is known, run a process, and derive a tree from other trees. Their order is
//! in `graph`.

use crate::action::command::Command;
use crate::action::graph::StepId;
use crate::action::policy::Policy;
use crate::base::Digest;

/// Where a tree comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A tree that is already known.
    Tree(Digest),
    /// The output of an earlier step.
    Output(StepId),
}

/// One node of a graph.
#[derive(Clone, Debug)]
pub enum Step {
    /// Downloads a file and unpacks it.
    Fetch(Fetch),
    /// Runs a process in a sandbox.
    Run(Box<Action>),
    /// Computes a tree from other trees.
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
    /// The process. All of it is part of the action key.
    pub command: Command,
    /// How it is carried out. None of it is part of the action key.
    pub policy: Policy,
}

/// A tree computed from trees by a pure function of this program.
#[derive(Clone, Debug)]
pub struct Derive {
    /// The step's name in progress and errors.
    pub label: String,
    /// The name of the function in `Engine::recipes`.
    pub recipe: &'static str,
    /// Further arguments of the function.
    pub parameters: Vec<String>,
    /// The trees that it is computed from.
    pub parts: Vec<Source>,
}

/// A fixed-output step: it may use the network because its bytes are checked against a known hash.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The step's name in progress and errors.
    pub label: String,
    /// The published file name. The name of a wheel contains its metadata.
    pub file_name: String,
    /// Tried in order.
    pub locations: Vec<Location>,
    /// In lower-case hexadecimal digits.
    pub sha256: String,
    /// The size, if it is known.
    pub size_bytes: Option<u64>,
    /// The name of the function in `Engine::unpackers` that turns the bytes into a tree.
    pub unpack: &'static str,
}

/// Where a file can be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `file:` or `http(s):`.
    Url(String),
    /// A page that lists files as HTML links or PEP 691 JSON.
    Listing {
        /// The URL of the page.
        page: String,
        /// The name of the file on the page.
        file_name: String,
    },
    /// A registry of images, which names what it stores by the hash.
    Registry {
        /// The host, perhaps with a port.
        host: String,
        /// The path of the images there.
        repository: String,
        /// Whether it is a manifest. Everything else is a blob.
        is_manifest: bool,
    },
}
