//! The action that lists the standalone interpreters that uv can download. It needs neither Python nor the network.

use std::collections::BTreeMap;

use crate::action::{Action, Command, Policy, Source};
use crate::base::Digest;
use crate::plan::environment;

/// The mount point of the unpacked wheel of uv.
const AT: &str = "/uv";

/// The action writes the list to its standard output as JSON. `system` contains the images of the system tree, `uv` the
/// unpacked wheel, and `empty` is the empty tree.
pub fn action(system: BTreeMap<String, Source>, uv: Source, empty: Digest) -> Action {
    let program = format!("{AT}/bin/uv");
    let argv = [
        program.as_str(),
        "python",
        "list",
        "--all-versions",
        "--only-downloads",
        "--output-format",
        "json",
        "--offline",
        "--no-config",
        "--no-cache",
    ];
    let mut images = system;
    images.insert(AT.to_owned(), uv);
    let argv = argv.map(str::to_owned).to_vec();
    let command = Command::new(argv, environment::base(), Source::Tree(empty), images);
    Action { command, policy: Policy::new("list standalone interpreters".to_owned()) }
}
