//! Writes lockfiles: from the requirements of each lockfile to its text, in the format of the file that it replaces. A lockfile
//! that cannot be resolved does not affect the others.

use std::collections::BTreeSet;

use crate::base::{RelPath, replace_file};
use crate::config::typed::{GenerateLockfilesSettings, LockfileSettings, PythonSettings, ResolveSettings};
use crate::packaging::lockfile::pins::{self, Pins};
use crate::packaging::lockfile::write::{self, Generated, NewLock, spelling};
use crate::packaging::lockfile::{self, Format, detect_format};
use crate::plan::lock_run::ResolveOptions;
use crate::plan::requirements;
use crate::prepare::Error;
use crate::prepare::locks::known::{self, KnownLock, Origin};
use crate::prepare::locks::pinned;
use crate::prepare::locks::project;
use crate::prepare::locks::resolver::{self, ResolveRequest, Resolved};
use crate::session::{self, Session, toolchains};
use crate::targets::{is_release_at_least, kind};

/// What became of a lockfile.
pub struct Written {
    /// The name of the resolve, or another name of the lockfile.
    pub name: String,
    /// The path, relative to the build root.
    pub path: String,
    /// Whether the file was replaced; it stays as it is if its content is the same.
    pub is_changed: bool,
    /// The versions before.
    pub old: Pins,
    /// The versions now.
    pub new: Pins,
}

/// A lockfile that is about to be resolved.
pub(super) struct Job {
    pub name: String,
    pub path: String,
    /// The text of the file, if it exists.
    pub old: Option<String>,
    pub format: Format,
    pub generated: Generated,
    pub has_sidecar: bool,
    pub request: ResolveRequest,
}

/// Writes the lockfiles that `settings` selects. The results are in the order in which the lockfiles were written.
pub fn generate(
    session: &mut Session,
    settings: &GenerateLockfilesSettings,
) -> Result<Vec<Result<Written, Error>>, Error> {
    if session.context.global().frozen {
        return Err(Error::FrozenLocks);
    }
    let mut jobs = Vec::new();
    let mut results = Vec::new();
    for lock in known::select(session, &settings.resolve)? {
        let name = lock.name.clone();
        let done = match lock.origin {
            Origin::Toolchains => refresh_toolchains(session).map(Some),
            Origin::Pinned(request) => pin_again(session, name, &request, settings).map(Some),
            _ => job(session, lock, settings).map(|job| {
                jobs.push(job);
                None
            }),
        };
        match done {
            // Its requirements may be in an ignored directory, as those of plugins often are. It must not fail the other resolves.
            Err(error @ Error::NoRequirements { .. }) if settings.resolve.is_empty() => {
                session.ui.warn_with_hint(&error.to_string(), &error.hint().unwrap_or_default());
            }
            done => results.extend(done.transpose()),
        }
    }
    let requests: Vec<&ResolveRequest> = jobs.iter().map(|job| &job.request).collect();
    let resolved = resolver::resolve_all(session, &requests)?;
    for (job, resolved) in jobs.iter().zip(resolved) {
        results.push(resolved.and_then(|resolved| write_lock(session, job, &resolved)));
    }
    Ok(results)
}

fn refresh_toolchains(session: &mut Session) -> Result<Written, Error> {
    let constraints = pinned::all_constraints(session)?;
    let is_changed = toolchains::refresh(session, &constraints)?;
    let (name, path) = (known::TOOLCHAINS.to_owned(), toolchains::LOCK.to_owned());
    Ok(Written { name, path, is_changed, old: Pins::new(), new: Pins::new() })
}

/// Pins the requirements of a file of Waders again.
fn pin_again(
    session: &mut Session,
    name: String,
    request: &pinned::PinRequest,
    settings: &GenerateLockfilesSettings,
) -> Result<Written, Error> {
    if request.requirements.is_empty() {
        return Err(Error::NoRequirements { name });
    }
    let path = session.build_root().join(&request.file);
    let old = session.context.tracker.read_to_string(&path).ok();
    let options = ResolveOptions { upgrade_packages: settings.upgrade_package.clone(), ..ResolveOptions::default() };
    let preferred = old.clone().filter(|_| !settings.upgrade);
    let text = pinned::pin_again(session, request, options, preferred)?;
    let is_changed = replace(session, &request.file, old.as_deref(), &text)?;
    let old = old.map(|old| pins::read(&old)).unwrap_or_default();
    Ok(Written { name, path: request.file.clone(), is_changed, old, new: pins::read(&text) })
}

/// Everything that is known about a lockfile before it is resolved.
pub(super) fn job(session: &mut Session, lock: KnownLock, settings: &GenerateLockfilesSettings) -> Result<Job, Error> {
    let KnownLock { name, path, origin } = lock;
    let file = RelPath::parse(&path).map_err(|source| requirements::Error::LockPath { path: path.clone(), source })?;
    let (texts, constraints) = match origin {
        Origin::Tool { requirements, constraints } => (requirements, constraints),
        _ => (resolve_requirements(session, &name)?, toolchains::constraints_of_resolve(session.config(), &name)),
    };
    if texts.is_empty() {
        return Err(Error::NoRequirements { name });
    }
    texts.iter().try_for_each(|text| pinned::refuse_unsupported(text))?;
    let root = session.build_root().to_owned();
    let read = |path: String| session.context.tracker.read_to_string(&root.join(path)).ok();
    let old = read(path.clone());
    let format = old.as_deref().map_or_else(|| new_format(session, &file), detect_format);
    if format == Format::Poetry {
        return Err(requirements::Error::from(lockfile::Error::of(path, lockfile::Problem::OnlyPoetry)).into());
    }
    let has_pants = session.context.global().pants_version.is_some();
    let has_sidecar = read(format!("{path}.metadata")).is_some()
        || LockfileSettings::parse(session.config()).separate_metadata
        || (format == Format::Uv && has_pants);
    let generated = generated(session, &name, &texts, &constraints, format, settings.custom_command.clone())?;
    let request = project::request(&name, &texts, constraints, &generated, format, old.as_deref(), settings)?;
    Ok(Job { name, path, old, format, generated, has_sidecar, request })
}

/// The requirements of the targets of a resolve, as they are written.
pub(super) fn resolve_requirements(session: &mut Session, resolve: &str) -> Result<BTreeSet<String>, Error> {
    let graph = session.load_graph()?;
    let default = PythonSettings::parse(session.config()).default_resolve;
    let of_resolve = graph.targets().filter(|target| {
        let own = target.text("resolve").unwrap_or(&default);
        target.kind == kind::PYTHON_REQUIREMENT && own == resolve
    });
    let texts = of_resolve.flat_map(|target| target.strings("requirements"));
    Ok(texts.map(str::to_owned).collect())
}

/// The format of a lockfile that does not exist yet.
fn new_format(session: &Session, path: &RelPath) -> Format {
    let name = path.file_name().unwrap_or_default();
    let is_named = |start: &str, end: &str| name.starts_with(start) && name.ends_with(end);
    match LockfileSettings::parse(session.config()).writes_uv_locks {
        _ if name == "uv.lock" => Format::Uv,
        _ if is_named("pylock", ".toml") => Format::Pylock,
        _ if name.ends_with(".txt") => Format::Requirements,
        true => Format::Uv,
        false if session.context.global().pants_version.is_some() => Format::Pex,
        false => Format::Pylock,
    }
}

/// What the metadata of the lockfile records, spelled as Pants spells it.
fn generated(
    session: &Session,
    name: &str,
    requirements: &BTreeSet<String>,
    constraints: &[String],
    format: Format,
    command: Option<String>,
) -> Result<Generated, Error> {
    let settings = ResolveSettings::parse(session.config(), name);
    let file = settings.constraints_file.as_deref();
    let lines =
        file.map(|path| pinned::version_constraints(session, path, "resolves_to_constraints_file")).transpose()?;
    let sorted =
        |texts: &mut dyn Iterator<Item = String>| texts.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let spelled = |texts: &[String]| sorted(&mut texts.iter().map(|text| spelling::requirement(text)));
    let version = session.context.global().pants_version;
    let is_for_pants = version.is_some() && format != Format::Pylock;
    let (program, binary) = if is_for_pants { ("Pants", "pants") } else { ("Waders", "waders") };
    Ok(Generated {
        resolve: name.to_owned(),
        version: Generated::version_for(&|release| is_release_at_least(version.as_deref(), release)),
        command: command.unwrap_or_else(|| format!("{binary} generate-lockfiles --resolve={name}")),
        program,
        interpreter_constraints: sorted(&mut constraints.iter().map(|text| spelling::interpreter_constraint(text))),
        requirements: sorted(&mut requirements.iter().map(|text| spelling::requirement(text))),
        manylinux: LockfileSettings::parse(session.config()).manylinux,
        constraints: spelled(&lines.unwrap_or_default()),
        only_binary: settings.only_binary,
        no_binary: settings.no_binary,
        excludes: spelled(&settings.excludes),
        overrides: spelled(&settings.overrides),
        uploaded_prior_to: settings.uploaded_prior_to,
    })
}

/// The text of a resolved lockfile.
pub(super) fn lock_text(session: &Session, job: &Job, resolved: &Resolved) -> Result<String, Error> {
    let depth = job.path.matches('/').count();
    let to_root = vec![".."; depth].join("/");
    let root = session.build_root().to_string_lossy().into_owned();
    let new = NewLock {
        resolution: &resolved.resolution,
        generated: &job.generated,
        old: job.old.as_deref(),
        environment: &resolved.environment,
        path_mappings: &path_mappings(session),
        root: (&to_root, &root),
        has_sidecar: job.has_sidecar,
        upgraded: (!job.request.upgrade).then_some(&job.request.options.upgrade_packages),
    };
    let text = write::text(&new, job.format);
    let sidecar = job.has_sidecar.then(|| job.generated.sidecar(job.format));
    // A lockfile that cannot be read is never written.
    lockfile::parse(&job.path, &text, sidecar.as_deref()).map_err(requirements::Error::from)?;
    Ok(text)
}

fn path_mappings(session: &Session) -> Vec<(String, String)> {
    let mappings = LockfileSettings::parse(session.config()).path_mappings;
    let pairs = mappings.iter().filter_map(|mapping| mapping.split_once('|'));
    pairs.map(|(name, path)| (name.to_owned(), path.split('|').next().unwrap_or_default().to_owned())).collect()
}

fn write_lock(session: &Session, job: &Job, resolved: &Resolved) -> Result<Written, Error> {
    let text = lock_text(session, job, resolved)?;
    let mut is_changed = replace(session, &job.path, job.old.as_deref(), &text)?;
    if job.has_sidecar {
        let path = format!("{}.metadata", job.path);
        let old = session.context.tracker.read_to_string(&session.build_root().join(&path)).ok();
        is_changed |= replace(session, &path, old.as_deref(), &job.generated.sidecar(job.format))?;
    }
    let old = job.old.as_deref().map(pins::read).unwrap_or_default();
    Ok(Written { name: job.name.clone(), path: job.path.clone(), is_changed, old, new: pins::read(&text) })
}

/// Replaces a file in one step unless it has this content. Returns whether it was replaced.
fn replace(session: &Session, path: &str, old: Option<&str>, text: &str) -> Result<bool, Error> {
    if old == Some(text) {
        return Ok(false);
    }
    let path = session.build_root().join(path);
    let created = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = created.and_then(|()| replace_file(&path, text.as_bytes()));
    written.map_err(|source| session::Error::Output { path, source })?;
    Ok(true)
}
