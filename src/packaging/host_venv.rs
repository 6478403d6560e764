//! Composes virtual environments for use outside sandboxes from the trees of wheels. The layout is that of a venv image
//! (`venv`); what differs is the interpreter, which is one of this machine, the first line of scripts, and the files that
//! activate the environment. Environments that the user may change are copied from the composed tree in `prepare::export`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::base::{Digest, RelPath};
use crate::packaging::environment::Environment;
use crate::packaging::venv::{self, Layer};
use crate::store::{self, Node, Store, Tree};

const ACTIVATE: [(&str, &str); 3] = [
    ("bin/activate", include_str!("host_venv/activate.sh")),
    ("bin/activate.fish", include_str!("host_venv/activate.fish")),
    ("bin/activate.csh", include_str!("host_venv/activate.csh")),
];

/// Larger files in `bin` are programs, not scripts.
const SCRIPT_LIMIT_BYTES: u64 = 1 << 20;

/// The longest first line that every supported kernel reads as a whole: `BINPRM_BUF_SIZE` was 128 before Linux 5.1 (execve(2)).
const SHEBANG_LIMIT_BYTES: usize = 127;

/// What an environment is composed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostVenv<'a> {
    /// The absolute path of the interpreter.
    pub interpreter: &'a str,
    /// The absolute path at which the environment will be used. `None` if that is not known: then scripts find their interpreter
    /// relative to themselves, there is nothing to activate, and the environment has the `.pth` file of source roots that venv
    /// images have.
    pub location: Option<&'a str>,
    /// The name in the shell's prompt while the environment is active.
    pub prompt: &'a str,
    /// Arguments of the interpreter in the first line of scripts, such as `-sE`; may be empty.
    pub script_args: &'a str,
    /// Directories that the environment imports from, in addition to its packages; absolute.
    pub source_roots: Vec<&'a str>,
}

/// Composes the tree of an environment. Its files are those of the layers; if two layers have different files at one path, that
/// of the earlier one is used. `environment` has the version of the interpreter.
pub fn compose(
    store: &Store,
    environment: &Environment,
    host: &HostVenv<'_>,
    layers: &[Layer],
) -> Result<Digest, store::Error> {
    let links = [("bin/python", host.interpreter), ("bin/python3", "python"), ("lib64", "lib")];
    let links = links.map(|(at, target)| (rel_path(at), target));
    let skeleton = venv::put_skeleton(store, environment, links, own_files(environment, host))?;
    let header = script_header(host);
    let layers = layers.iter().map(|layer| Ok(Layer { wheel: with_scripts(store, layer.wheel, &header)?, ..*layer }));
    let layers = layers.collect::<Result<Vec<_>, store::Error>>()?;
    Ok(venv::compose_on(store, skeleton, environment, &layers)?.tree)
}

/// The files that belong to no wheel.
fn own_files(environment: &Environment, host: &HostVenv<'_>) -> Vec<(RelPath, Vec<u8>)> {
    let home = host.interpreter.rsplit_once('/').map_or("/", |(home, _)| home);
    let version = environment.python();
    let mut config = format!("home = {home}\ninclude-system-site-packages = false\nversion = {version}\n");
    let Some(root) = host.location else {
        let source_roots = (venv::source_roots_file(environment), venv::SOURCE_ROOTS.as_bytes().to_vec());
        return vec![(rel_path("pyvenv.cfg"), config.into_bytes()), source_roots];
    };
    config += &format!("prompt = {}\n", host.prompt);
    let mut files = vec![(rel_path("pyvenv.cfg"), config.into_bytes())];
    if !host.source_roots.is_empty() {
        files.push((venv::source_roots_file(environment), (host.source_roots.join("\n") + "\n").into_bytes()));
    }
    for (at, template) in ACTIVATE {
        let text = template.replace("@ROOT@", &quoted(root)).replace("@PROMPT@", &quoted(host.prompt));
        files.push((rel_path(at), text.into_bytes()));
    }
    files
}

/// A word in single quotes, as sh, fish and csh read it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The first lines of scripts, with the final newline. An interpreter that the kernel cannot read from a first line is started by
/// a shell: to Python, those two lines are a string.
fn script_header(host: &HostVenv<'_>) -> String {
    let args = host.script_args;
    let space = if args.is_empty() { "" } else { " " };
    let python = host.location.map(|root| format!("{root}/bin/python"));
    if let Some(python) = python.as_deref().filter(|python| !python.contains(char::is_whitespace)) {
        let line = format!("#!{python}{space}{args}");
        if line.len() <= SHEBANG_LIMIT_BYTES {
            return line + "\n";
        }
    }
    let python = match python {
        Some(python) => format!("\"{}\"", escaped(&python)),
        None => r#""$(dirname -- "$(realpath -- "$0")")"/python"#.to_owned(),
    };
    format!("#!/bin/sh\n'''exec' {python}{space}{args} \"$0\" \"$@\"\n' '''\n")
}

/// A script of an environment with the first line that it would have if the path of the environment were short.
pub fn with_short_header(script: &[u8]) -> Cow<'_, [u8]> {
    static LONG: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r#"\A#!/bin/sh\n'''exec' "([^"\\\s]*)"( .+)? "\$0" "\$@"\n' '''\n"#;
        Regex::new(pattern).expect("the pattern is constant and tested")
    });
    LONG.replace(script, &b"#!$1$2\n"[..])
}

/// A text as sh reads it in double quotes.
fn escaped(text: &str) -> String {
    let special = |c: char| matches!(c, '\\' | '"' | '$' | '`');
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// The tree of a wheel with other first lines in its scripts.
fn with_scripts(store: &Store, wheel: Digest, header: &str) -> Result<Digest, store::Error> {
    if store.subtree(wheel, &rel_path("bin"))?.is_none() {
        return Ok(wheel);
    }
    let mut nodes: BTreeMap<RelPath, Node> = store.tree(wheel)?.nodes;
    let batch = store.batch();
    for (_, node) in nodes.iter_mut().filter(|(path, _)| path.starts_with(&rel_path("bin"))) {
        let Node::File { digest, executable } = node else { continue };
        if digest.size_bytes() > SCRIPT_LIMIT_BYTES {
            continue;
        }
        if let Some(script) = with_header(&store.get(*digest)?, header) {
            *digest = batch.put(&script, *executable)?;
        }
    }
    let tree = batch.put_tree(&Tree { nodes })?;
    batch.commit()?;
    Ok(tree)
}

/// The script with another first line. `None` if it is no script of the image's interpreter.
fn with_header(script: &[u8], header: &str) -> Option<Vec<u8>> {
    let rest = script.strip_prefix(b"#!")?.strip_prefix(venv::PYTHON.as_bytes())?;
    if !rest.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let body = rest.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &rest[end + 1..]);
    Some([header.as_bytes(), body].concat())
}

fn rel_path(path: &str) -> RelPath {
    RelPath::parse(path).expect("composed of valid names")
}

#[cfg(test)]
mod tests;
