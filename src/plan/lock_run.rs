//! Requirements without a lockfile to hash-pinned ones: one run of uv, which alone may use the network.

use std::collections::BTreeMap;

use crate::action::{Action, CachePolicy, Source};
use crate::base::Digest;
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The file below the input root that lists what is asked for, one requirement a line.
pub const INPUT: &str = "requirements.in";
/// The file below the output root that pins it.
pub const OUTPUT: &str = "requirements.txt";

const CERTIFICATES: &str = "/certificates";

/// Where uv looks, and whom it trusts.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    pub indexes: Vec<String>,
    /// Pages that list files.
    pub find_links: Vec<String>,
    /// Trees of files that lie beside each other, as a directory of wheels does.
    pub wheelhouses: Vec<Digest>,
    /// A tree that holds `ca.pem`.
    pub certificates: Option<Digest>,
    pub proxies: BTreeMap<String, String>,
}

/// Never kept: what an index offers changes.
pub fn action(interpreter: &Interpreter, uv: Source, input: Source, reach: &Reach) -> Action {
    let mut action = interpreter.action("lock requirements".to_owned(), argv(interpreter, reach), input);
    action.images.insert(venv::ROOT.to_owned(), uv);
    action.env.extend(reach.proxies.clone());
    if let Some(tree) = reach.certificates {
        action.images.insert(CERTIFICATES.to_owned(), Source::Tree(tree));
        action.env.insert("SSL_CERT_FILE".to_owned(), format!("{CERTIFICATES}/ca.pem"));
    }
    for (number, tree) in reach.wheelhouses.iter().enumerate() {
        action.images.insert(wheelhouse(number), Source::Tree(*tree));
    }
    action.network = true;
    action.cache = CachePolicy { read: false, keep: false, good_codes: vec![0] };
    action
}

fn argv(interpreter: &Interpreter, reach: &Reach) -> Vec<String> {
    let uv = format!("{}/bin/uv", venv::ROOT);
    let output = format!("/out/{OUTPUT}");
    let fixed = ["pip", "compile", INPUT, "--output-file", &output, "--universal", "--generate-hashes", "--no-header"];
    let more = ["--no-annotate", "--no-config", "--quiet", "--cache-dir", "/tmp/uv", "--python-version"];
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
