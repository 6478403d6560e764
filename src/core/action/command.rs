//! The command of a step: one process in a sandbox. All of it is part of the action key, because it can change the bytes of a
//! result. Settings that cannot are in `policy`.

use std::collections::BTreeMap;

use crate::action::step::Source;
use crate::base::RelPath;

/// One process and everything that it can see.
#[derive(Clone, Debug)]
pub struct Command {
    /// `argv[0]` is an absolute path inside the sandbox.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// The working directory, relative to the input root.
    pub cwd: RelPath,
    /// Copied to `/src`; the copy is discarded.
    pub input_root: Source,
    /// Read-only trees by absolute mount point (`/usr`, `/deps`, `/toolchain/python3.12`).
    pub images: BTreeMap<String, Source>,
    /// Directories below `/out` that also appear at another path, by absolute mount point.
    pub outputs_at: BTreeMap<String, RelPath>,
    /// Whether the process may use the host's network.
    pub network: bool,
    /// Whether the process has the caller's terminal as its standard streams. Its result is never cached.
    pub terminal: bool,
}

impl Command {
    /// A process in the root of the sources, without network, terminal or mounted outputs.
    pub fn new(
        argv: Vec<String>,
        env: BTreeMap<String, String>,
        input_root: Source,
        images: BTreeMap<String, Source>,
    ) -> Command {
        let (cwd, outputs_at) = (RelPath::root(), BTreeMap::new());
        Command { argv, env, cwd, input_root, images, outputs_at, network: false, terminal: false }
    }
}
