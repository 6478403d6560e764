//! Requirements of the repository or of a tool's section that no lockfile pins: uv pins them once, in a file in the build
//! root that the user commits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::action::{ActionGraph, Exit, Source, Step};
use crate::base::{Digest, RelPath, replace_file};
use crate::config::typed::PythonSettings;
use crate::packaging::lockfile::{self, Lock};
use crate::packaging::recipes;
use crate::packaging::{Environment, resolve};
use crate::plan::lock_run::{self, PackageSources};
use crate::plan::requirements;
use crate::plan::venv::Venvs;
use crate::prepare::Error;
use crate::prepare::packages::Packages;
use crate::report::limits::SHOWN_BYTES;
use crate::session::{self, Session, execute, toolchains};
use crate::store::{Node, Tree};
use crate::targets::TargetGraph;
use crate::targets::kind;
use crate::tools;

/// The form of the files. It is part of their hash of inputs, so that files of another form are written again.
const FORM: &str = "2";

/// Requirements to pin, and the file in the build root for the result, which has the form of a requirements.txt.
struct PinRequest<'a> {
    file: String,
    /// Whose requirements they are, in words.
    owner: String,
    /// The interpreter constraints of the step that needs the packages.
    constraints: &'a [String],
    requirements: BTreeSet<String>,
}

/// The lock of everything that the repository's requirement targets ask for.
pub(super) fn repository_lock(session: &mut Session, constraints: &[String]) -> Result<Arc<Lock>, Error> {
    let graph = session.load_graph()?;
    let requirements = all_requirements(&graph);
    let (file, owner) = ("waders-requirements.lock".to_owned(), "this repository".to_owned());
    load_or_pin(session, &PinRequest { file, owner, constraints, requirements })
}

/// The lock of what a tool's section asks for, where the built-in lock does not have it.
pub(super) fn tool_lock(
    session: &mut Session,
    scope: &str,
    constraints: &[String],
    requirements: BTreeSet<String>,
) -> Result<Arc<Lock>, Error> {
    let (file, owner) = (format!("waders-{scope}.lock"), format!("the section `[{scope}]`"));
    load_or_pin(session, &PinRequest { file, owner, constraints, requirements })
}

/// The lock that the file holds if it was made for the same requirements and constraints; otherwise they are pinned now.
fn load_or_pin(session: &mut Session, request: &PinRequest<'_>) -> Result<Arc<Lock>, Error> {
    request.requirements.iter().try_for_each(|requirement| refuse_unsupported(requirement))?;
    let pinned = Pinned { python: all_constraints(session)?, versions: version_constraints(session)? };
    let mut inputs = format!("{FORM}\n{:?}\n{:?}", pinned.python, request.requirements);
    // Locks that were made without a constraints file stay valid.
    if !pinned.versions.is_empty() {
        inputs += &format!("\n{:?}", pinned.versions);
    }
    let inputs = Digest::of(inputs.as_bytes()).hex();
    let head = format!(
        "# Written by Waders: every requirement of {}, pinned. Commit it; delete it to pin them again.\n# inputs: {inputs}\n",
        request.owner
    );
    let path = session.build_root().join(&request.file);
    let parse =
        |text: &str| lockfile::parse(&request.file, text, None).map(Arc::new).map_err(requirements::Error::from);
    if let Ok(text) = session.context.tracker.read_to_string(&path) {
        match check_content(&head, &text) {
            Content::Complete => return Ok(parse(&text)?),
            Content::Damaged => return Err(Error::DamagedLock { file: request.file.clone() }),
            Content::OtherInputs => {}
        }
    }
    if session.context.is_frozen() {
        return Err(Error::FrozenRequirements { owner: request.owner.clone(), file: request.file.clone() });
    }
    let text = lock_text(&head, &pin(session, request, &pinned)?);
    let lock = parse(&text)?;
    replace_file(&path, text.as_bytes()).map_err(|source| session::Error::Output { path, source })?;
    let advice = "commit it, so that everybody tests with the same packages";
    session.ui.note(&format!("wrote `{}`", request.file), Some(advice));
    Ok(lock)
}

/// Introduces the line with the hash of all following lines, by which an incomplete file is noticed.
const CONTENT_HASH: &str = "# content: ";

/// Whether a lock file can be used.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    /// It was written for the same requirements and is unchanged.
    Complete,
    /// It was written for the same requirements, but lines are missing or were changed.
    Damaged,
    /// It was written for other requirements, or by a version that wrote no hash.
    OtherInputs,
}

/// The text of a lock file: its first two lines, the hash of the pins, and the pins.
fn lock_text(head: &str, pins: &str) -> String {
    format!("{head}{CONTENT_HASH}{}\n{pins}", Digest::of(pins.as_bytes()).hex())
}

fn check_content(head: &str, text: &str) -> Content {
    let Some(rest) = text.strip_prefix(head).and_then(|rest| rest.strip_prefix(CONTENT_HASH)) else {
        return Content::OtherInputs;
    };
    match rest.split_once('\n') {
        Some((hash, pins)) if Digest::of(pins.as_bytes()).hex() == hash => Content::Complete,
        _ => Content::Damaged,
    }
}

/// Refuses a requirement that cannot be pinned: a local file or directory, or a repository of a version control system.
fn refuse_unsupported(requirement: &str) -> Result<(), Error> {
    let Some((name, url)) = requirement.split_once('@') else { return Ok(()) };
    let (name, url) = (name.trim(), url.trim());
    let kind = match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("file") => "a local file or directory",
        Some(scheme) if ["git+", "hg+", "svn+", "bzr+"].iter().any(|vcs| scheme.starts_with(vcs)) => {
            "a repository of a version control system"
        }
        None if url.starts_with(['.', '/']) => "a local file or directory",
        _ => return Ok(()),
    };
    // The URL is not shown, since it may contain a password.
    Err(Error::UnsupportedRequirement { requirement: name.to_owned(), kind })
}

/// The requirements of all requirement targets, as they are written.
fn all_requirements(graph: &TargetGraph) -> BTreeSet<String> {
    let targets = graph.targets().filter(|target| target.kind == kind::PYTHON_REQUIREMENT);
    let texts = targets.filter_map(|target| target.fields.get("requirements"));
    texts.flat_map(|value| value.strings()).map(str::to_owned).collect()
}

/// What restricts the versions that are pinned.
struct Pinned {
    /// All lists of interpreter constraints.
    python: BTreeSet<Vec<String>>,
    /// The lines of the constraints file.
    versions: Vec<String>,
}

/// The constraints on versions in the file that `[python] requirement_constraints` names.
fn version_constraints(session: &Session) -> Result<Vec<String>, Error> {
    let Some(path) = PythonSettings::parse(session.config()).requirement_constraints else { return Ok(Vec::new()) };
    let path = session.build_root().join(path);
    let text = session.context.tracker.read_to_string(&path).map_err(|source| Error::Constraints { path, source })?;
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '-'])).map(str::to_owned).collect())
}

/// All lists of interpreter constraints in the repository. A lock has to fit each of them: otherwise it would be written
/// again and again by steps with different constraints.
fn all_constraints(session: &mut Session) -> Result<BTreeSet<Vec<String>>, Error> {
    let graph = session.load_graph()?;
    let fields = graph.targets().filter_map(|target| target.fields.get("interpreter_constraints"));
    let own = fields.map(|value| value.strings().into_iter().map(str::to_owned).collect());
    let default = toolchains::default_constraints(session.config());
    Ok(own.chain([default]).filter(|constraints: &Vec<String>| !constraints.is_empty()).collect())
}

/// The lowest minor version, such as `3.9`, of the interpreters for these constraints. Constraints without an interpreter are
/// ignored, because the steps that need one report it; so is Python 2, which uv does not support.
fn lowest_minor(session: &mut Session, constraints: &BTreeSet<Vec<String>>, minor: &str) -> String {
    let interpreters = constraints.iter().filter_map(|constraints| toolchains::ensure(session, constraints).ok());
    let minors: Vec<String> = interpreters.filter_map(|found| Some(toolchains::interpreter(&found)?.minor)).collect();
    let number = |minor: &String| minor.split('.').map(|part| part.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>();
    let supported = minors.into_iter().filter(|minor| !minor.starts_with("2."));
    supported.chain([minor.to_owned()]).min_by_key(number).expect("there is at least one")
}

/// The text of a lock: what uv writes, with the dependencies of each package.
fn pin(session: &mut Session, request: &PinRequest<'_>, pinned: &Pinned) -> Result<String, Error> {
    let store = session.services.open_store()?;
    let empty = store.put_tree(&Tree::default())?;
    let toolchain = toolchains::ensure(session, request.constraints)?;
    let interpreter = toolchains::interpreter(&toolchain).ok_or(session::Error::NoInterpreter)?;
    let environment = Environment::linux_x86_64(&interpreter.version, recipes::GLIBC)?;
    let uv = requirements::parse_built_in("uv", tools::UV_LOCK)?;
    let chosen = resolve::resolve_whole(&uv, &environment).map_err(requirements::Error::from)?;
    let distributions = Packages::new(session, environment)?.distributions(&chosen)?;

    let mut graph = ActionGraph::default();
    let image = Venvs::new(interpreter.clone(), empty).compose(&mut graph, &distributions);
    let minor = lowest_minor(session, &pinned.python, &interpreter.minor);
    let project = lock_run::project(&minor, &request.requirements, &pinned.versions);
    let input = file_tree(session, lock_run::INPUT, project.as_bytes())?;
    let reach = reach(session)?;
    let action = lock_run::action(&interpreter, &minor, Source::Output(image), Source::Tree(input), &reach);
    let step = graph.add(Step::Run(Box::new(action)));
    let mut results = execute::execute(session, graph, &[step], false)?;
    let done = results.remove(&step).ok_or(session::Error::Interrupted)?.map_err(session::Error::Step)?;
    let (_, outcome) = done.outcome.ok_or(session::Error::Interrupted)?;
    if outcome.exit != Exit::Code(0) {
        let stderr = store.excerpt(outcome.stderr, SHOWN_BYTES)?;
        return Err(Error::NotPinned { owner: request.owner.clone(), exit: outcome.exit, stderr });
    }
    let written = store.tree(done.tree)?;
    let read = |path: &str| match written.nodes.get(&RelPath::parse(path).expect("the path is clean")) {
        Some(Node::File { digest, .. }) => Ok(String::from_utf8_lossy(&store.get(*digest)?).into_owned()),
        _ => {
            let (owner, stderr) = (request.owner.clone(), format!("uv wrote no file `{path}`"));
            Err(Error::NotPinned { owner, exit: outcome.exit, stderr })
        }
    };
    let (pinned, edges) = (read(lock_run::OUTPUT)?, read(lock_run::EDGES)?);
    Ok(lockfile::add_dependencies(&request.file, &pinned, &edges).map_err(requirements::Error::from)?)
}

/// The tree of one file.
fn file_tree(session: &mut Session, name: &str, bytes: &[u8]) -> Result<Digest, Error> {
    let store = session.services.open_store()?;
    let node = Node::File { digest: store.put(bytes)?, executable: false };
    Ok(store.put_tree(&Tree { nodes: [(RelPath::parse(name)?, node)].into() })?)
}

/// What uv may reach: the indexes, certificates and proxies that the built-in client uses too.
fn reach(session: &mut Session) -> Result<PackageSources, Error> {
    let indexes = session.context.package_indexes()?;
    // The sandbox does not contain the file with the user's passwords, so the URLs contain those that uv needs.
    let client = session.context.http_client();
    let urls = indexes.indexes.iter().map(|place| client.with_credentials(&place.url));
    let mut reach = PackageSources { indexes: urls.collect::<Result<_, _>>()?, ..PackageSources::default() };
    let tracker = session.context.tracker.clone();
    let is_dir = |path: &str| tracker.metadata(Path::new(path)).as_ref().is_ok_and(std::fs::Metadata::is_dir);
    for place in indexes.find_links {
        match place.url.strip_prefix("file://").or_else(|| place.url.strip_prefix('/').map(|_| place.url.as_str())) {
            // Like pip, ignores a directory that does not exist.
            Some(dir) if is_dir(dir) => reach.wheelhouses.push(wheelhouse(session, Path::new(dir))?),
            Some(_) => {}
            None => reach.find_links.push(client.with_credentials(&place.url)?),
        }
    }
    let bundle = session.context.ca_bundle().unwrap_or_else(|| PathBuf::from("/etc/ssl/certs/ca-certificates.crt"));
    if let Ok(bytes) = tracker.read(&bundle) {
        reach.certificates = Some(file_tree(session, "ca.pem", &bytes)?);
    }
    let names = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
    let vars = &session.environment().vars;
    reach.proxies = names.iter().filter_map(|name| Some((name.to_string(), vars.get(name)?.clone()))).collect();
    Ok(reach)
}

/// The files of a directory of wheels and source distributions.
fn wheelhouse(session: &mut Session, dir: &Path) -> Result<Digest, Error> {
    let store = session.services.open_store()?;
    let mut tree = Tree::default();
    for link in crate::net::directory(dir)? {
        let digest = store.put_file(&dir.join(&link.file_name))?;
        tree.nodes.insert(RelPath::parse(&link.file_name)?, Node::File { digest, executable: false });
    }
    Ok(store.put_tree(&tree)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_cut_or_edited_is_not_used() {
        let head = "# Written by Waders\n# inputs: 12\n";
        let text = lock_text(head, "six==1.16.0 --hash=sha256:00\nattrs==22.1 --hash=sha256:11\n");
        assert_eq!(check_content(head, &text), Content::Complete);
        let pins = text.find("six").unwrap();
        for end in pins..text.len() {
            assert_eq!(check_content(head, &text[..end]), Content::Damaged, "{:?}", &text[..end]);
        }
        assert_eq!(check_content(head, &text.replace("1.16.0", "1.15.0")), Content::Damaged);
        assert_eq!(check_content(head, &(text.clone() + "more==1.0 --hash=sha256:22\n")), Content::Damaged);
    }

    #[test]
    fn a_lock_of_other_requirements_is_replaced() {
        let text = lock_text("# Written by Waders\n# inputs: 12\n", "six==1.16.0\n");
        assert_eq!(check_content("# Written by Waders\n# inputs: 13\n", &text), Content::OtherInputs);
        assert_eq!(check_content("# Written by Waders\n# inputs: 12\n", ""), Content::OtherInputs);
    }
}
