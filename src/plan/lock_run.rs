//! The action that pins requirements by hash with uv. It is the only action that uses the network without knowing the hashes
//! of its downloads in advance.

use std::collections::BTreeMap;

use crate::action::{Action, CachePolicy, Source};
use crate::base::{Digest, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The file below the input root that lists the requirements, one on each line.
pub const INPUT: &str = "requirements.in";
/// The file below the output root that contains the pinned requirements.
pub const OUTPUT: &str = "requirements.txt";

/// The mount point of the trusted certificates.
const CERTIFICATES: &str = "/certificates";

/// The places where uv finds packages, and how it connects to them.
#[derive(Clone, Debug, Default)]
pub struct PackageSources {
    /// URLs of package indexes, the default index first.
    pub indexes: Vec<String>,
    /// URLs of pages that list files.
    pub find_links: Vec<String>,
    /// Trees of local directories that contain distributions.
    pub wheelhouses: Vec<Digest>,
    /// A tree that contains `ca.pem`, the certificates to trust.
    pub certificates: Option<Digest>,
    /// Environment variables that configure proxies.
    pub proxies: BTreeMap<String, String>,
}

/// The action that pins requirements. `uv` is a venv image that contains uv, and `input` a tree that contains [`INPUT`]. The
/// result is never cached, because the contents of an index change.
pub fn action(interpreter: &Interpreter, uv: Source, input: Source, packages: &PackageSources) -> Action {
    let mut action = interpreter.action("lock requirements".to_owned(), argv(interpreter, packages), input);
    action.command.images.insert(venv::ROOT.to_owned(), uv);
    action.command.env.extend(packages.proxies.clone());
    if let Some(tree) = packages.certificates {
        action.command.images.insert(CERTIFICATES.to_owned(), Source::Tree(tree));
        action.command.env.insert("SSL_CERT_FILE".to_owned(), format!("{CERTIFICATES}/ca.pem"));
    }
    for (number, tree) in packages.wheelhouses.iter().enumerate() {
        action.command.images.insert(wheelhouse_at(number), Source::Tree(*tree));
    }
    action.command.network = true;
    action.policy.cache = CachePolicy { read: false, write: false, success_codes: vec![0] };
    action
}

fn argv(interpreter: &Interpreter, packages: &PackageSources) -> Vec<String> {
    let uv = sandbox_paths::in_deps_bin("uv");
    let output = sandbox_paths::in_out(OUTPUT);
    let cache = format!("{}/uv", sandbox_paths::TMP);
    let fixed = ["pip", "compile", INPUT, "--output-file", &output, "--universal", "--generate-hashes", "--no-header"];
    let more = ["--no-annotate", "--no-config", "--quiet", "--cache-dir", &cache, "--python-version"];
    let mut argv = vec![uv];
    argv.extend(fixed.iter().chain(&more).map(|word| word.to_string()));
    argv.extend([interpreter.minor.clone(), "--python".to_owned(), interpreter.python.clone()]);
    for (number, index) in packages.indexes.iter().enumerate() {
        argv.extend([if number == 0 { "--default-index" } else { "--index" }.to_owned(), index.clone()]);
    }
    let wheelhouses = (0..packages.wheelhouses.len()).map(wheelhouse_at);
    for place in packages.find_links.iter().cloned().chain(wheelhouses) {
        argv.extend(["--find-links".to_owned(), place]);
    }
    argv
}

/// The mount point of a local directory of distributions.
fn wheelhouse_at(number: usize) -> String {
    format!("/wheelhouse/{number}")
}
