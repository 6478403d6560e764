//! The action that pins requirements by hash with uv. It is the only action that uses the network without knowing the hashes
//! of its downloads in advance.

use std::collections::BTreeMap;

use crate::action::{Action, CachePolicy, Source};
use crate::base::{Digest, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The file below the input root that [`project`] returns.
pub const INPUT: &str = "pyproject.toml";
/// The file below the output root that contains the pinned requirements.
pub const OUTPUT: &str = "requirements.txt";
/// The file below the output root that contains the dependencies between the pinned packages, as uv's lockfile.
pub const EDGES: &str = "uv.lock";

const PIN: &str = include_str!("pin_requirements.py");

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
pub fn action(interpreter: &Interpreter, minor: &str, uv: Source, input: Source, packages: &PackageSources) -> Action {
    let argv = argv(interpreter, minor, packages);
    let mut action = interpreter.action("lock requirements".to_owned(), argv, input);
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

/// The text of a project with these requirements, for Python from the minor version `minor`, such as `3.9`. `constraints`
/// restrict versions without requiring a package.
pub fn project<'r>(
    minor: &str,
    requirements: impl IntoIterator<Item = &'r String>,
    constraints: impl IntoIterator<Item = &'r String>,
) -> String {
    // A string of JSON is also one of TOML.
    let line = |text: &String| format!("    {},\n", serde_json::Value::from(text.as_str()));
    let lines: String = requirements.into_iter().map(line).collect();
    let constraints: String = constraints.into_iter().map(line).collect();
    format!(
        "[project]\nname = \"waders-requirements\"\nversion = \"0\"\nrequires-python = \">={minor}\"\n\
         dependencies = [\n{lines}]\n\n[tool.uv]\nconstraint-dependencies = [\n{constraints}]\n"
    )
}

fn argv(interpreter: &Interpreter, minor: &str, packages: &PackageSources) -> Vec<String> {
    let uv = sandbox_paths::in_deps_bin("uv");
    let cache = format!("{}/uv", sandbox_paths::TMP);
    let script = [interpreter.python.as_str(), "-s", "-B", "-c", PIN, sandbox_paths::OUT, minor, uv.as_str()];
    let options = ["--no-config", "--quiet", "--cache-dir", &cache, "--python", &interpreter.python];
    let mut argv: Vec<String> = script.iter().chain(&options).map(|word| word.to_string()).collect();
    if packages.indexes.is_empty() {
        // Otherwise uv would use its default index.
        argv.push("--no-index".to_owned());
    }
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
