//! The three kinds of step: fetch something whose hash is known, run a process, derive a tree from other trees.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::graph::StepId;
use crate::action::outcome::Exit;
use crate::base::{Digest, RelPath};

/// Where a tree comes from: known now, or the output of an earlier step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    Tree(Digest),
    Output(StepId),
}

#[derive(Clone, Debug)]
pub enum Step {
    Fetch(Fetch),
    Run(Box<Action>),
    Derive(Derive),
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
    /// What people call it, for progress and errors.
    pub label: String,
    /// As it was published: a wheel's name says what is in it.
    pub file_name: String,
    /// Tried in order.
    pub locations: Vec<Location>,
    pub sha256: String,
    pub size_bytes: Option<u64>,
    /// The name of what turns the bytes into a tree; the engine is given the functions by these names.
    pub unpack: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `file:` or `http(s):`.
    Url(String),
    /// A page that lists files (HTML links or PEP 691 JSON); the file is found there by its name.
    Listing { page: String, file_name: String },
}

/// One process in a sandbox.
#[derive(Clone, Debug)]
pub struct Action {
    /// What people call it; not part of the key.
    pub label: String,
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Below the input root, which is mounted at `/src`.
    pub cwd: RelPath,
    /// At `/src` there is a copy of it, which is thrown away.
    pub input_root: Source,
    /// Read-only trees by absolute mount point (`/usr`, `/deps`, `/toolchain/python3.12`).
    pub images: BTreeMap<String, Source>,
    /// Directories below `/out` that also appear at another place, by absolute mount point.
    pub outputs_at: BTreeMap<String, RelPath>,
    /// Whether the process may use the host's network. Allowed by name only.
    pub network: bool,
    pub timeout: Option<Duration>,
    /// Tried again on failure, until one succeeds.
    pub attempts: u32,
    pub cache: CachePolicy,
    /// Gets the number of the execution slot, dense from 0; not part of the key.
    pub slot_variable: Option<String>,
    /// Gets how many processes of its own it may keep busy; not part of the key.
    pub share: Option<Share>,
    /// Foreground, with the caller's terminal; never cached.
    pub interactive: bool,
    /// May begin with what an earlier run of its kind has learnt; not part of the key.
    pub warm: Option<Warm>,
    /// Looks at many files, at each alone; not part of the key.
    pub each: Option<Each>,
}

impl Action {
    pub fn is_good(&self, exit: Exit) -> bool {
        matches!(exit, Exit::Code(code) if self.cache.good_codes.contains(&code))
    }
}

/// For a tool that remembers what it has worked out. It promises that what it finds does not depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warm {
    /// Where it finds the state that it begins with, by absolute mount point. Without one there is nothing there.
    pub found_at: String,
    /// The directory below `/out` where it leaves its state. A link into `found_at` stands for what lies there.
    pub left_in: RelPath,
    /// What decides, beside all that is not the input root, whether a state fits: settings files, mostly.
    pub fits: Digest,
    /// Begin without a state, and let what is left stand for all earlier ones.
    pub anew: bool,
}

/// For a tool that looks at each of its files without regard to the others. It promises that of several files it finds what
/// it would find of each one, so those that are known to be well can be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Each {
    /// The last so many words of `argv` are files of the input root.
    pub files: usize,
    /// All that is seen beside them: settings files, mostly.
    pub fits: Digest,
    /// Lines of its output that say nothing: a regular expression.
    pub chatter: Option<String>,
}

/// What a step that can spread its work gets of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// 0 where all slots are taken: the step is to do its work alone.
    pub variable: String,
    pub at_most: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// Whether an earlier result may be used.
    pub read: bool,
    /// Whether a good result is kept for later runs.
    pub keep: bool,
    /// Exit codes of good results, usually only 0: others are never kept, and make another attempt.
    pub good_codes: Vec<i32>,
}
