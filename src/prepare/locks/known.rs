//! The lockfiles of a repository: those of its resolves, those that sections of tools name, and those that Waders makes where
//! there is no resolve. Each has a name, by which `generate-lockfiles --resolve` selects it.

use std::collections::BTreeSet;

use crate::config::typed::{LockfileSettings, MypySettings, PythonSettings, ToolSettings};
use crate::packaging::requirement;
use crate::plan::requirements::{self, Locks, ToolPackages};
use crate::prepare::locks::pinned::{self, PinRequest};
use crate::prepare::{Error, Planner};
use crate::session::{Session, toolchains};
use crate::targets::kind;
use crate::tools::{self, Tool};

/// The name of the lockfile of toolchains.
pub(super) const TOOLCHAINS: &str = "waders";

/// The name of the lockfile with the stubs that only mypy reads, as in Pants.
const MYPY_STUBS: &str = "mypy-extra-type-stubs";

/// A lockfile that may not exist yet.
pub(super) struct KnownLock {
    /// The name of the resolve, the scope of the tool, or a name that begins with `waders`.
    pub name: String,
    /// The path, relative to the build root.
    pub path: String,
    pub origin: Origin,
}

/// Where the requirements of a lockfile come from.
pub(super) enum Origin {
    /// The requirement targets of a resolve.
    Resolve,
    /// The section of a tool.
    Tool { requirements: BTreeSet<String>, constraints: Vec<String> },
    /// What Waders pins because there is no resolve.
    Pinned(PinRequest),
    /// The interpreters and the system tree.
    Toolchains,
}

/// The lockfiles that the names select; all but that of the toolchains if there are no names.
pub(super) fn select(session: &mut Session, names: &[String]) -> Result<Vec<KnownLock>, Error> {
    let mut known = known(session)?;
    if names.is_empty() {
        known.retain(|lock| !matches!(lock.origin, Origin::Toolchains));
        return Ok(known);
    }
    let mut selected = Vec::new();
    for name in names.iter().collect::<BTreeSet<_>>() {
        match known.iter().position(|lock| lock.name == *name) {
            Some(index) => selected.push(known.remove(index)),
            None if tools::named(name).is_some() => return Err(Error::BuiltInTool { scope: name.clone() }),
            None => {
                let known = known.iter().chain(&selected).map(|lock| lock.name.clone()).collect();
                return Err(Error::UnknownLock { name: name.clone(), known });
            }
        }
    }
    Ok(selected)
}

/// The lockfiles of resolves by name and path, as far as they are written.
pub(super) fn resolves(session: &Session) -> Vec<(String, String)> {
    let python = PythonSettings::parse(session.config());
    let are_written = python.enable_resolves && LockfileSettings::parse(session.config()).resolves_generate_lockfiles;
    if are_written { python.resolves.into_iter().collect() } else { Vec::new() }
}

fn known(session: &mut Session) -> Result<Vec<KnownLock>, Error> {
    let resolves = resolves(session).into_iter();
    let mut known: Vec<KnownLock> =
        resolves.map(|(name, path)| KnownLock { name, path, origin: Origin::Resolve }).collect();
    for tool in tools::all() {
        known.extend(tool_lock(session, &tool)?);
    }
    known.extend(mypy_stubs(session));
    let graph = session.load_graph()?;
    let has_requirements = graph.targets().any(|target| target.kind == kind::PYTHON_REQUIREMENT);
    if !PythonSettings::parse(session.config()).enable_resolves && has_requirements {
        let constraints = toolchains::default_constraints(session.config());
        let request = pinned::repository_request(session, &constraints)?;
        known.push(pinned_lock("waders-requirements", request));
    }
    let (name, path) = (TOOLCHAINS.to_owned(), toolchains::LOCK.to_owned());
    known.push(KnownLock { name, path, origin: Origin::Toolchains });
    Ok(known)
}

fn pinned_lock(name: &str, request: PinRequest) -> KnownLock {
    KnownLock { name: name.to_owned(), path: request.file.clone(), origin: Origin::Pinned(request) }
}

/// The lockfile of a tool: the one that its section names, or the one that Waders has made for it.
fn tool_lock(session: &mut Session, tool: &Tool) -> Result<Option<KnownLock>, Error> {
    let settings = ToolSettings::parse(session.config(), &tool.scope);
    let mut constraints = settings.interpreter_constraints.clone();
    if constraints.is_empty() {
        constraints = toolchains::default_constraints(session.config());
    }
    if settings.install_from_resolve.is_some() {
        return Ok(None);
    }
    if let Some(path) = &settings.lockfile {
        let required = requirements::version_requirements(tool, &settings, session.config())?;
        let requirements = required.iter().map(requirement::canonical).collect();
        if settings.interpreter_constraints.is_empty() {
            constraints = locked_constraints(session, path).unwrap_or(constraints);
        }
        let (name, path) = (tool.scope.clone(), path.clone());
        return Ok(Some(KnownLock { name, path, origin: Origin::Tool { requirements, constraints } }));
    }
    let file = session.build_root().join(pinned::tool_file(&tool.scope));
    if session.context.tracker.metadata(&file).is_err() {
        return Ok(None);
    }
    let environment = Planner::new(session)?.environment(&constraints)?;
    let mut locks = Locks::new(session.build_root(), session.config(), session.context.tracker.clone());
    let packages = requirements::select_tool_packages(&mut locks, tool, session.config(), &constraints, &environment)?;
    let ToolPackages::Unlocked(requirements) = packages else { return Ok(None) };
    let request = pinned::tool_request(&tool.scope, &constraints, requirements);
    Ok(Some(pinned_lock(&format!("waders-{}", tool.scope), request)))
}

/// The interpreter constraints that a tool's lockfile was made for: the lockfile of a tool may support more interpreters than
/// the repository.
fn locked_constraints(session: &Session, path: &str) -> Option<Vec<String>> {
    let text = session.context.tracker.read_to_string(&session.build_root().join(path)).ok()?;
    let constraints =
        crate::packaging::lockfile::parse(path, &text, None).ok()?.metadata?.valid_for_interpreter_constraints;
    Some(constraints).filter(|constraints| !constraints.is_empty())
}

fn mypy_stubs(session: &Session) -> Option<KnownLock> {
    let settings = MypySettings::parse(session.config());
    let path = settings.extra_type_stubs_lockfile?;
    let mut constraints = locked_constraints(session, &path).unwrap_or_default();
    if constraints.is_empty() {
        constraints = toolchains::default_constraints(session.config());
    }
    let requirements = settings.extra_type_stubs.into_iter().collect();
    Some(KnownLock { name: MYPY_STUBS.to_owned(), path, origin: Origin::Tool { requirements, constraints } })
}
