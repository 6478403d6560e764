//! The action that pins requirements by hash with uv: the only action that uses the network without hashes known before.

use std::collections::BTreeMap;

use crate::action::{Action, CachePolicy, Source};
use crate::base::{Digest, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The file below the input root that lists the requirements, one on each line.
pub const INPUT: &str = "requirements.in";
/// The file below the output root that pins them.
pub const OUTPUT: &str = "requirements.txt";

const CERTIFICATES: &str = "/certificates";
/// In the scratch space.
const UV_CACHE: &str = "/tmp/uv";

/// Where uv finds packages, and which certificates it trusts.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    pub indexes: Vec<String>,
    /// Pages that list files.
    pub find_links: Vec<String>,
    /// Trees of directories that hold wheels.
    pub wheelhouses: Vec<Digest>,
    /// A tree that holds `ca.pem`.
    pub certificates: Option<Digest>,
    pub proxies: BTreeMap<String, String>,
}

/// Never cached: what an index offers changes.
pub fn action(interpreter: &Interpreter, uv: Source, input: Source, reach: &Reach) -> Action {
    let mut action = interpreter.action("lock requirements".to_owned(), argv(interpreter, reach), input);
    action.command.images.insert(venv::ROOT.to_owned(), uv);
    action.command.env.extend(reach.proxies.clone());
    if let Some(tree) = reach.certificates {
        action.command.images.insert(CERTIFICATES.to_owned(), Source::Tree(tree));
        action.command.env.insert("SSL_CERT_FILE".to_owned(), format!("{CERTIFICATES}/ca.pem"));
    }
    for (number, tree) in reach.wheelhouses.iter().enumerate() {
        action.command.images.insert(wheelhouse(number), Source::Tree(*tree));
    }
    action.command.network = true;
    action.policy.cache = CachePolicy { read: false, write: false, success_codes: vec![0] };
    action
}

fn argv(interpreter: &Interpreter, reach: &Reach) -> Vec<String> {
    let uv = sandbox_paths::in_deps_bin("uv");
    let output = sandbox_paths::in_out(OUTPUT);
    let fixed = ["pip", "compile", INPUT, "--output-file", &output, "--universal", "--generate-hashes", "--no-header"];
    let more = ["--no-annotate", "--no-config", "--quiet", "--cache-dir", UV_CACHE, "--python-version"];
    let mut argv = vec![uv];
    argv.extend(fixed.iter().chain(&more).map(|word| word.to_string()));
    argv.extend([interpreter.minor.clone(), "--python".to_owned(), interpreter.python.clone()]);
    for (number, index) in reach.indexes.iter().enumerate() {
        argv.extend([if number == 0 { "--default-index" } else { "--index" }.to_owned(), index.clone()]);
    }
    let wheelhouses = (0..reach.wheelhouses.len()).map(wheelhouse);
    for place in reach.find_links.iter().cloned().chain(wheelhouses) {
        argv.extend(["--find-links".to_owned(), place]);
    }
    argv
}

fn wheelhouse(number: usize) -> String {
    format!("/wheelhouse/{number}")
}
