//! Resolves requirements with uv, each request in a step of its own. What is requested is decided by the callers.

use std::sync::Arc;

use crate::action::{ActionGraph, Exit, Outcome, Source, Step, StepId};
use crate::base::{ErrorKind, RelPath, error_chain};
use crate::engine::StepResult;
use crate::net;
use crate::packaging::lockfile::pins::{self, Pins};
use crate::packaging::lockfile::resolution::{LocalDirectory, Resolution};
use crate::packaging::lockfile::{Format, detect_format};
use crate::packaging::recipes;
use crate::packaging::{Environment, resolve};
use crate::plan::lock_run::{self, PackageSources, Project, ResolveOptions};
use crate::plan::requirements;
use crate::plan::venv::Venvs;
use crate::prepare::Error;
use crate::prepare::locks::gateway::{Gateway, Problems, Received, StepProxy};
use crate::prepare::locks::sources;
use crate::prepare::packages::Packages;
use crate::report::limits::SHOWN_BYTES;
use crate::session::{self, Session, execute, toolchains};
use crate::store::{Node, Tree};
use crate::tools;

/// What is resolved.
pub(super) struct ResolveRequest {
    /// Whose requirements they are, in words, for errors.
    pub owner: String,
    /// The interpreter constraints, by which the interpreter is chosen that builds source distributions.
    pub constraints: Vec<String>,
    pub project: Project,
    pub options: ResolveOptions,
    /// The text of the lockfile whose versions are preferred, unless `upgrade` is set.
    pub old: Option<String>,
    /// Whether the newest versions of all packages are resolved.
    pub upgrade: bool,
    /// Versions that are preferred to those of `old`.
    pub pins: Option<Pins>,
}

/// A resolution, and the interpreter that it was made with.
pub(super) struct Resolved {
    pub resolution: Resolution,
    pub environment: Environment,
}

/// Resolves all requests at once. What cannot be resolved is an error of its own.
pub(super) fn resolve_all(
    session: &mut Session,
    requests: &[&ResolveRequest],
) -> Result<Vec<Result<Resolved, Error>>, Error> {
    let (sources, directories, gateway) = sources::find(session)?;
    let mut graph = ActionGraph::default();
    let mut planned: Vec<Result<Planned, Error>> = Vec::new();
    for request in requests {
        planned.push(plan(session, &mut graph, request, &sources, &gateway));
    }
    let steps: Vec<StepId> = planned.iter().filter_map(|planned| Some(planned.as_ref().ok()?.step)).collect();
    let mut results = execute::execute(session, graph, &steps, false)?;
    for Received { url, digest } in gateway.record()? {
        tracing::info!(%url, %digest, "received");
    }
    let mut resolved = Vec::new();
    for (request, planned) in requests.iter().zip(planned) {
        resolved.push(planned.and_then(|Planned { step, environment, proxy }| {
            let done = results.remove(&step).ok_or(session::Error::Interrupted)?.map_err(session::Error::Step)?;
            Ok(Resolved { resolution: collect(session, request, &done, &directories, &proxy)?, environment })
        }));
    }
    Ok(resolved)
}

/// A request whose step is in the graph.
struct Planned {
    step: StepId,
    environment: Environment,
    /// The step's way to the package indexes.
    proxy: Arc<StepProxy>,
}

/// Adds the step of a request to the graph.
fn plan(
    session: &mut Session,
    graph: &mut ActionGraph,
    request: &ResolveRequest,
    sources: &PackageSources,
    gateway: &Arc<Gateway>,
) -> Result<Planned, Error> {
    let empty = session.services.open_store()?.put_tree(&Tree::default())?;
    let toolchain = toolchains::ensure(session, &request.constraints)?;
    let interpreter = toolchains::interpreter(&toolchain).ok_or(session::Error::NoInterpreter)?;
    let environment = Environment::linux_x86_64(&interpreter.version, recipes::GLIBC)?;
    let uv = requirements::parse_built_in("uv", tools::UV_LOCK)?;
    let chosen = resolve::resolve_whole(&uv, &environment).map_err(requirements::Error::from)?;
    let distributions = Packages::new(session, environment.clone())?.distributions(&chosen)?;
    let image = Venvs::new(interpreter.clone(), interpreter.clone(), empty).compose(graph, &distributions);
    // uv starts Python several times, most of all when it builds source distributions.
    let interpreter = interpreter.with_compiled_library(graph, empty);

    let project = gateway.allow_required(&lock_run::project_text(&request.project));
    let mut sources = sources.clone();
    if let Some(old) = &request.old {
        sources.indexes.iter_mut().for_each(|index| *index = spelled_as_in(old, index));
    }
    let preferences = preferences(request, &sources, gateway);
    let mut files = vec![(lock_run::PROJECT, project.as_bytes())];
    files.extend(preferences.as_ref().map(|text| (lock_run::UV_LOCK, text.as_bytes())));
    let input = sources::file_tree(session, &files)?;
    let label = format!("resolve the requirements of {}", request.owner);
    let (image, input) = (Source::Output(image), Source::Tree(input));
    let (channel, proxy) = gateway.open()?;
    let action = lock_run::action(label, &interpreter, image, input, &request.options, &sources, channel);
    Ok(Planned { step: graph.add(Step::Run(Box::new(action))), environment, proxy })
}

/// The URL of an index with or without a slash at its end, as an existing lockfile has it.
fn spelled_as_in(old: &str, index: &str) -> String {
    let bare = index.trim_end_matches('/');
    let place =
        bare.rsplit_once('@').map_or(bare.split_once("://").map_or(bare, |(_, place)| place), |(_, place)| place);
    match (old.contains(&format!("{place}/\"")), old.contains(&format!("{place}\""))) {
        (true, _) => format!("{bare}/"),
        (false, true) => bare.to_owned(),
        (false, false) => index.to_owned(),
    }
}

/// The lockfile of uv with the preferred versions: the old one itself where uv can read it.
fn preferences(request: &ResolveRequest, sources: &PackageSources, gateway: &Gateway) -> Option<String> {
    let old = request.old.as_ref().filter(|_| !request.upgrade)?;
    let is_sound = detect_format(old) == Format::Uv && !pins::has_conflict(old) && old.parse::<toml::Table>().is_ok();
    if is_sound && request.pins.is_none() {
        return Some(gateway.written_in_the_clear(old));
    }
    let preferred = request.pins.clone().unwrap_or_else(|| pins::read(old));
    let registry = sources.indexes.first().cloned().unwrap_or_else(|| lock_run::wheelhouse_at(0));
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let mut text =
        format!("version = 1\nrevision = 3\nrequires-python = {}\n", quote(&request.project.requires_python));
    if request.options.fewest_versions {
        text += "\n[options]\nfork-strategy = \"fewest\"\n";
    }
    for (name, version) in preferred.iter().flat_map(|(name, versions)| versions.iter().map(move |found| (name, found)))
    {
        let registry = quote(&registry);
        text += &format!(
            "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = {{ registry = {registry} }}\n"
        );
    }
    Some(text)
}

/// What the step of a request wrote.
fn collect(
    session: &mut Session,
    request: &ResolveRequest,
    done: &StepResult,
    directories: &[LocalDirectory],
    proxy: &StepProxy,
) -> Result<Resolution, Error> {
    let store = session.services.open_store()?;
    let (_, outcome) = done.outcome.as_ref().ok_or(session::Error::Interrupted)?;
    if outcome.exit != Exit::Code(0) {
        return Err(refused(&request.owner, outcome, store.excerpt(outcome.stderr, SHOWN_BYTES)?, proxy));
    }
    let written = store.tree(done.tree)?;
    let read = |path: &str| match written.nodes.get(&RelPath::parse(path).expect("the path is clean")) {
        Some(Node::File { digest, .. }) => Ok(String::from_utf8_lossy(&store.get(*digest)?).into_owned()),
        _ => Err(refused(&request.owner, outcome, format!("uv wrote no file `{path}`"), proxy)),
    };
    let read = |path: &str| Ok::<_, Error>(proxy.restored(&read(path)?));
    let (uv_lock, versions, metadata) =
        (read(lock_run::UV_LOCK)?, read(lock_run::VERSIONS)?, read(lock_run::METADATA)?);
    let parsed = Resolution::parse(uv_lock, &versions, &metadata, directories.to_vec());
    Ok(parsed.map_err(requirements::Error::from)?)
}

/// uv's own explanation why there is no resolution, and what the package indexes did not provide.
fn refused(owner: &str, outcome: &Outcome, stderr: String, proxy: &StepProxy) -> Error {
    let Problems { failures, refused } = proxy.take_problems();
    let mut explanation = proxy.restored(stderr.trim_end());
    for failure in &failures {
        explanation += &format!("\n{}", error_chain(failure));
    }
    for url in refused {
        explanation += &format!("\n`{url}` was not fetched: no configured package index refers to it");
    }
    let kinds: Vec<ErrorKind> = failures.iter().map(net::Error::kind).collect();
    let kind = match kinds.contains(&ErrorKind::WrongBytes) {
        true => ErrorKind::WrongBytes,
        false => kinds.first().copied().unwrap_or(ErrorKind::Mistake),
    };
    Error::NotPinned { owner: owner.to_owned(), exit: outcome.exit, stderr: explanation, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_spelled_as_in_the_old_lockfile() {
        let old = "source = { registry = \"https://a.example.invalid/simple/\" }\nsource = { registry = \"https://b.example.invalid\" }";
        let check = |index: &str, expected: &str| assert_eq!(spelled_as_in(old, index), expected);
        check("https://a.example.invalid/simple", "https://a.example.invalid/simple/");
        check("https://me:word@a.example.invalid/simple", "https://me:word@a.example.invalid/simple/");
        check("https://b.example.invalid/", "https://b.example.invalid");
        check("https://c.example.invalid/", "https://c.example.invalid/");
    }
}
