//! Requirements of the repository or of a tool's section that no lockfile pins: uv pins them once, in a file in the build
//! root that the user commits.

use std::collections::BTreeSet;
use std::sync::Arc;

use uv_normalize::PackageName;

use crate::base::{Digest, RelPath, replace_file};
use crate::config::typed::PythonSettings;
use crate::packaging::lockfile::write::requirement_entries;
use crate::packaging::lockfile::{self, Lock};
use crate::packaging::requirement;
use crate::plan::lock_run::{Project, ResolveOptions};
use crate::plan::requirements;
use crate::prepare::Error;
use crate::prepare::locks::optional_lists;
use crate::prepare::locks::resolver::{self, ResolveRequest};
use crate::session::{self, Session, toolchains};
use crate::targets::TargetGraph;
use crate::targets::kind;
use crate::targets::workspace::Workspace;

/// The form of the files. It is part of their hash of inputs, so that files of another form are written again.
const FORM: &str = "2";

/// The file with the requirements of the repository.
pub(super) const REPOSITORY_LOCK: &str = "waders-requirements.lock";

/// The name of the project that uv locks.
const PROJECT: &str = "waders-requirements";

/// Requirements to pin, and the file in the build root for the result, which has the form of a requirements.txt.
pub(super) struct PinRequest {
    pub file: String,
    /// Whose requirements they are, in words.
    pub owner: String,
    /// The interpreter constraints of the step that needs the packages.
    pub constraints: Vec<String>,
    pub requirements: BTreeSet<String>,
}

/// The lock of everything that the repository's requirement targets ask for.
pub(in crate::prepare) fn repository_lock(session: &mut Session, constraints: &[String]) -> Result<Arc<Lock>, Error> {
    let own = own_projects(session)?;
    let request = request_without(session, constraints, &own)?;
    let lock = load_or_pin(session, &request)?;
    if own.is_empty() {
        return Ok(lock);
    }
    let mut lock = Arc::unwrap_or_clone(lock);
    lock.packages.retain(|package| !own.contains(&package.name));
    lock.excluded.extend(own);
    Ok(Arc::new(lock))
}

/// The names of the projects of this repository if they take the place of the packages with these names, some of which their own tools
/// require.
fn own_projects(session: &mut Session) -> Result<BTreeSet<PackageName>, Error> {
    if !PythonSettings::parse(session.config()).packages_by_project {
        return Ok(BTreeSet::new());
    }
    let graph = session.load_graph()?;
    let read = |file: &RelPath| session.context.tracker.read_to_string(&file.to_path(session.build_root())).ok();
    let projects = Workspace::all_projects(graph.files(), &read);
    Ok(projects.members().iter().filter_map(|project| PackageName::from_owned(project.name.clone()).ok()).collect())
}

/// The same as a request.
pub(super) fn repository_request(session: &mut Session, constraints: &[String]) -> Result<PinRequest, Error> {
    let own = own_projects(session)?;
    request_without(session, constraints, &own)
}

/// The request for everything but the projects of this repository.
fn request_without(
    session: &mut Session,
    constraints: &[String],
    own: &BTreeSet<PackageName>,
) -> Result<PinRequest, Error> {
    let mut requirements = all_requirements(session.load_graph()?.as_ref());
    requirements.retain(|text| requirement::parse(text).map_or(true, |required| !own.contains(&required.name)));
    let (file, owner) = (REPOSITORY_LOCK.to_owned(), "this repository".to_owned());
    Ok(PinRequest { file, owner, constraints: constraints.to_vec(), requirements })
}

/// The lock of what a tool's section asks for, where the built-in lock does not have it.
pub(in crate::prepare) fn tool_lock(
    session: &mut Session,
    scope: &str,
    constraints: &[String],
    requirements: BTreeSet<String>,
) -> Result<Arc<Lock>, Error> {
    load_or_pin(session, &tool_request(scope, constraints, requirements))
}

/// The same as a request.
pub(super) fn tool_request(scope: &str, constraints: &[String], requirements: BTreeSet<String>) -> PinRequest {
    let (file, owner) = (tool_file(scope), format!("the section `[{scope}]`"));
    PinRequest { file, owner, constraints: constraints.to_vec(), requirements }
}

/// The file with the requirements of a tool's section.
pub(super) fn tool_file(scope: &str) -> String {
    format!("waders-{scope}.lock")
}

/// The lock that the file holds if it was made for the same requirements and constraints; otherwise they are pinned now.
fn load_or_pin(session: &mut Session, request: &PinRequest) -> Result<Arc<Lock>, Error> {
    let inputs = PinInputs::find(session, request)?;
    let head = inputs.head(request);
    let path = session.build_root().join(&request.file);
    let parse =
        |text: &str| lockfile::parse(&request.file, text, None).map(Arc::new).map_err(requirements::Error::from);
    let old = session.context.tracker.read_to_string(&path).ok();
    if let Some(text) = &old {
        match check_content(&head, text) {
            Content::Complete => return Ok(parse(text)?),
            Content::Damaged => return Err(Error::DamagedLock { file: request.file.clone() }),
            Content::OtherInputs => {}
        }
    }
    if session.context.is_frozen() {
        return Err(Error::FrozenRequirements { owner: request.owner.clone(), file: request.file.clone() });
    }
    let text = pin(session, request, inputs, ResolveOptions::default(), old)?;
    let lock = parse(&text)?;
    replace_file(&path, text.as_bytes()).map_err(|source| session::Error::Output { path, source })?;
    let advice = "commit it, so that everybody tests with the same packages";
    session.ui.note(&format!("wrote `{}`", request.file), Some(advice));
    Ok(lock)
}

/// The text of the file, resolved now. The versions of `old` are preferred.
pub(super) fn pin_again(
    session: &mut Session,
    request: &PinRequest,
    options: ResolveOptions,
    old: Option<String>,
) -> Result<String, Error> {
    let inputs = PinInputs::find(session, request)?;
    pin(session, request, inputs, options, old)
}

fn pin(
    session: &mut Session,
    request: &PinRequest,
    inputs: PinInputs,
    options: ResolveOptions,
    old: Option<String>,
) -> Result<String, Error> {
    let head = inputs.head(request);
    let toolchain = toolchains::ensure(session, &request.constraints)?;
    let minor = toolchains::interpreter(&toolchain).ok_or(session::Error::NoInterpreter)?.minor;
    let PythonSettings { only_binary, no_binary, .. } = PythonSettings::parse(session.config());
    let requires_python = format!(">={}", lowest_minor(session, &inputs.python, &minor));
    let mut resolve = |session: &mut Session, requirements: &BTreeSet<String>| {
        let resolve = ResolveRequest {
            owner: request.owner.clone(),
            constraints: request.constraints.clone(),
            project: Project {
                name: PROJECT.to_owned(),
                requires_python: requires_python.clone(),
                requirements: requirements.iter().cloned().collect(),
                constraints: inputs.versions.clone(),
                ..Project::default()
            },
            options: ResolveOptions {
                only_binary: only_binary.clone(),
                no_binary: no_binary.clone(),
                ..options.clone()
            },
            old: old.clone(),
            upgrade: false,
            pins: None,
        };
        resolver::resolve_all(session, &[&resolve])?.pop().ok_or(session::Error::Interrupted)?
    };
    match resolve(session, &request.requirements) {
        Ok(resolved) => Ok(lock_text(&head, &requirement_entries(&resolved.resolution))),
        Err(error @ Error::NotPinned { .. }) => {
            match optional_lists::resolve_without(session, request, &mut resolve)? {
                Some((resolved, note)) => Ok(lock_text(&head, &(note + &requirement_entries(&resolved.resolution)))),
                None => Err(error),
            }
        }
        Err(error) => Err(error),
    }
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
pub(super) fn refuse_unsupported(requirement: &str) -> Result<(), Error> {
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
    targets.flat_map(|target| target.strings("requirements")).map(str::to_owned).collect()
}

/// What restricts the versions that are pinned.
struct PinInputs {
    /// All lists of interpreter constraints.
    python: BTreeSet<Vec<String>>,
    /// The lines of the constraints file.
    versions: Vec<String>,
}

impl PinInputs {
    fn find(session: &mut Session, request: &PinRequest) -> Result<PinInputs, Error> {
        request.requirements.iter().try_for_each(|requirement| refuse_unsupported(requirement))?;
        let file = PythonSettings::parse(session.config()).requirement_constraints;
        let versions = file.map(|path| version_constraints(session, &path, "requirement_constraints")).transpose()?;
        Ok(PinInputs { python: all_constraints(session)?, versions: versions.unwrap_or_default() })
    }

    /// The first two lines of a file, of which the second has the hash of everything that it was made from.
    fn head(&self, request: &PinRequest) -> String {
        let mut inputs = format!("{FORM}\n{:?}\n{:?}", self.python, request.requirements);
        // Locks that were made without a constraints file stay valid.
        if !self.versions.is_empty() {
            inputs += &format!("\n{:?}", self.versions);
        }
        let inputs = Digest::of(inputs.as_bytes()).hex();
        format!(
            "# Written by Waders: every requirement of {}, pinned. Commit it; delete it to pin them again.\n# inputs: {inputs}\n",
            request.owner
        )
    }
}

/// The constraints on versions in a constraints file, which the option `named_by` of `[python]` names.
pub(super) fn version_constraints(session: &Session, path: &str, named_by: &'static str) -> Result<Vec<String>, Error> {
    let path = session.build_root().join(path);
    let read = session.context.tracker.read_to_string(&path);
    let text = read.map_err(|source| Error::Constraints { path, named_by, source })?;
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '-'])).map(str::to_owned).collect())
}

/// All lists of interpreter constraints in the repository. A lock has to fit each of them: otherwise it would be written
/// again and again by steps with different constraints.
pub(super) fn all_constraints(session: &mut Session) -> Result<BTreeSet<Vec<String>>, Error> {
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
