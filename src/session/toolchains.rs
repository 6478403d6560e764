//! The pinned system tree and interpreters of a run, installed as the settings require and recorded in `waders.lock`.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use uv_pep440::Version;

use crate::base::{Digest, ErrorKind};
use crate::config::Config;
use crate::config::typed::{GlobalSettings, PythonSettings, SystemSettings};
use crate::plan::interpreter::{self, Interpreter};
use crate::session::{self, Error, Session, late_toolchains, python_archives};
use crate::store::Store;
use crate::targets;
use crate::toolchain::debian::providing::{name_of_program, package_of_library, package_of_program};
use crate::toolchain::settings::{Machine, system_packages};
use crate::toolchain::standalone::ListedArchive;
use crate::toolchain::{
    self, Constraints, Lock, Provider, ProviderContext, Request, Toolchain, ToolchainSettings, host,
};

/// The name of the lockfile in the build root.
pub const LOCK: &str = "waders.lock";

/// The platform of this machine.
pub(super) const PLATFORM: &str = "linux-x86_64";

/// The default interpreter constraints of Pants before 2.17. Later versions require the setting.
const OLD_CONSTRAINTS: &str = "CPython>=3.7,<4";

/// The interpreter constraints for BUILD files where the repository has none that can be met.
const ANY: &str = "CPython>=3.9";

/// The interpreter constraints of targets without constraints of their own.
pub fn default_constraints(config: &Config) -> Vec<String> {
    let set = PythonSettings::parse(config).interpreter_constraints;
    if set.is_empty() && !targets::is_release_at_least(GlobalSettings::parse(config).pants_version.as_deref(), (2, 17))
    {
        return vec![OLD_CONSTRAINTS.to_owned()];
    }
    set
}

/// The interpreter constraints of a resolve: its own or, where it has none, the default.
pub fn constraints_of_resolve(config: &Config, resolve: &str) -> Vec<String> {
    let own = PythonSettings::parse(config).resolves_to_interpreter_constraints.remove(resolve);
    own.unwrap_or_else(|| default_constraints(config))
}

/// The interpreter constraints for BUILD files: those of the repository or, where no such interpreter is available, any
/// recent version.
pub fn constraints_of_build_files(session: &mut Session) -> Result<Vec<String>, Error> {
    let constraints = default_constraints(session.config());
    match ensure(session, &constraints) {
        Err(Error::NoConstraints | Error::Toolchain(toolchain::Error::NoInterpreter { .. })) => {
            Ok(vec![ANY.to_owned()])
        }
        found => found.map(|_| constraints),
    }
}

/// Installs the toolchain for these interpreter constraints, and adds it to the lockfile if it is missing there. If the store
/// lost a part of a tree in this run, every tree is made again.
pub fn ensure(session: &mut Session, constraints: &[String]) -> Result<Toolchain, Error> {
    ensure_with(session, constraints, &[])
}

/// Like [`ensure`], with additional packages for building source distributions.
pub fn ensure_with(
    session: &mut Session,
    constraints: &[String],
    build_packages: &[String],
) -> Result<Toolchain, Error> {
    let path = session.build_root().join(LOCK);
    let mut lock = Lock::load(&session.context.tracker, &path)?;
    let toolchain = install(session, &mut lock, constraints, build_packages)?;
    save(session, &lock, &path)?;
    Ok(toolchain)
}

/// Installs the packages of services, and adds them to the lockfile if they are missing there. Returns the tree to add to `/usr`.
pub fn ensure_service(session: &mut Session, packages: &[String]) -> Result<Digest, Error> {
    let path = session.build_root().join(LOCK);
    let mut lock = Lock::load(&session.context.tracker, &path)?;
    let settings = ToolchainSettings::from_config(session.config(), &machine(&session.context))?;
    let request = Request {
        platform: PLATFORM.to_owned(),
        packages: system_packages(session.config()),
        python: None,
        build_packages: Vec::new(),
    };
    let (store, client) = (session.services.open_store()?, session.context.http_client());
    let context = ProviderContext::new(&store, &client, &settings, session.context.is_frozen());
    let phase = session.ui.console.phase("preparing the packages of services");
    let restore = session.services.verifies_sources();
    let tree = toolchain::provide_service(&mut lock, &request, packages, restore, &context)?;
    drop(phase);
    save(session, &lock, &path)?;
    Ok(tree)
}

/// Installs the system tree with additional packages, without an interpreter.
pub fn ensure_system(session: &mut Session, packages: &[String]) -> Result<Toolchain, Error> {
    let path = session.build_root().join(LOCK);
    let mut lock = Lock::load(&session.context.tracker, &path)?;
    let settings = ToolchainSettings::from_config(session.config(), &machine(&session.context))?;
    let request = Request {
        platform: PLATFORM.to_owned(),
        packages: system_packages(session.config()),
        python: None,
        build_packages: packages.to_vec(),
    };
    let toolchain = provide(session, &mut lock, &settings, &request)?;
    save(session, &lock, &path)?;
    Ok(toolchain)
}

/// The Debian package of a program.
pub fn package_with_program(program: &str) -> Option<&'static str> {
    package_of_program(program)
}

/// The file name of a program in the system tree.
pub fn name_in_system(program: &str) -> &str {
    name_of_program(program)
}

/// Installs the toolchain that a lock names, or else the current one, which is added to the lock.
fn install(
    session: &mut Session,
    lock: &mut Lock,
    constraints: &[String],
    build_packages: &[String],
) -> Result<Toolchain, Error> {
    if constraints.is_empty() {
        return Err(Error::NoConstraints);
    }
    let mut settings = ToolchainSettings::from_config(session.config(), &machine(&session.context))?;
    let request = Request {
        platform: PLATFORM.to_owned(),
        packages: system_packages(session.config()),
        python: Some(Constraints::parse(constraints)?),
        build_packages: build_packages.to_vec(),
    };
    match provide(session, lock, &settings, &request) {
        Err(Error::Toolchain(toolchain::Error::NoArchiveList)) => {
            let system = Request { python: None, build_packages: Vec::new(), ..request.clone() };
            let system = provide(session, lock, &settings, &system)?;
            settings.standalone.list = Some(list_archives(session, &system)?);
            provide(session, lock, &settings, &request)
        }
        provided => provided,
    }
}

/// Writes the lockfile if it changed and may be changed.
pub(super) fn save(session: &Session, lock: &Lock, path: &Path) -> Result<(), Error> {
    if !session.context.is_frozen() && lock.save(&session.context.tracker, path)? {
        let advice = "commit it, so that everyone builds with the same toolchain";
        session.ui.note(&format!("wrote `{LOCK}`"), Some(advice));
    }
    Ok(())
}

/// Locks the toolchains for these lists of interpreter constraints again, in the versions that are current now. Records for other
/// constraints are dropped; the next step that needs one locks it again. Returns whether the lockfile changed. If a toolchain
/// is not available, the lockfile stays as it was.
pub fn refresh(session: &mut Session, constraints: &BTreeSet<Vec<String>>) -> Result<bool, Error> {
    let path = session.build_root().join(LOCK);
    // The sources of packages are those of other lockfiles.
    let mut lock = Lock::load(&session.context.tracker, &path).map(Lock::into_sources).unwrap_or_default();
    for constraints in constraints {
        install(session, &mut lock, constraints, &[])?;
    }
    Ok(lock.save(&session.context.tracker, &path)?)
}

/// Provides a toolchain and reports what the user should know about it.
fn provide(
    session: &mut Session,
    lock: &mut Lock,
    settings: &ToolchainSettings,
    request: &Request,
) -> Result<Toolchain, Error> {
    let provide = if session.services.verifies_sources() { toolchain::restore } else { toolchain::provide };
    let (store, client) = (session.services.open_store()?, session.context.http_client());
    let context = ProviderContext::new(&store, &client, settings, session.context.is_frozen());
    let phase = session.ui.console.phase("preparing the toolchain");
    if let Some(records) = toolchain::locked(lock, request, &context)
        && let Some(toolchain) = late_toolchains::find(session, settings, records)?
    {
        return Ok(toolchain);
    }
    let toolchain = provide(lock, request, &context)?;
    drop(phase);
    if let Some(records) = toolchain::locked(lock, request, &context) {
        late_toolchains::publish(session, &records, &toolchain)?;
    }
    for notice in context.take_notices() {
        session.ui.warn_with_hint(&notice.message, notice.hint);
    }
    Ok(toolchain)
}

/// The standalone interpreters that uv can download; none, with a warning, if uv cannot be asked.
fn list_archives(session: &mut Session, system: &Toolchain) -> Result<Vec<ListedArchive>, Error> {
    python_archives::list(session, system)?.or_else(|why| {
        session.ui.warn(&format!("the list of standalone interpreters cannot be read: {why}"));
        Ok(Vec::new())
    })
}

/// The interpreter of a toolchain. `None` if the toolchain is only a system tree.
pub fn interpreter(toolchain: &Toolchain) -> Option<Interpreter> {
    let version = toolchain.python_version.clone()?;
    let minor = toolchain::minor_version(&version).to_owned();
    Some(Interpreter {
        python: toolchain.python.as_ref()?.to_str()?.to_owned(),
        version,
        minor,
        images: interpreter::images(&toolchain.mounts),
    })
}

/// The interpreters of this machine that can replace a locked one outside sandboxes: those of exactly this version, then those of
/// its minor version that satisfy the constraints, the newest first.
pub fn host_interpreters(
    session: &Session,
    constraints: &[String],
    version: &str,
) -> Result<Vec<host::Interpreter>, Error> {
    let settings = ToolchainSettings::from_config(session.config(), &machine(&session.context))?;
    let constraints = Constraints::parse(constraints)?;
    let mut found = host::find_minor(&settings.host, toolchain::minor_version(version));
    found.retain(|interpreter| interpreter.version == version || constraints.allows(&interpreter.version));
    let parsed = |interpreter: &host::Interpreter| interpreter.version.parse::<Version>().ok();
    found.sort_by_key(|interpreter| Reverse((interpreter.version == version, parsed(interpreter))));
    Ok(found)
}

/// The tree of a standalone interpreter of exactly this version, for use outside sandboxes; recorded in the lockfile. `None` if there
/// is none, if the settings exclude such interpreters, or, with a warning, if it cannot be downloaded.
pub fn standalone_interpreter(
    session: &mut Session,
    constraints: &[String],
    version: &str,
) -> Result<Option<Digest>, Error> {
    let path = session.build_root().join(LOCK);
    let mut lock = Lock::load(&session.context.tracker, &path)?;
    let mut settings = ToolchainSettings::from_config(session.config(), &machine(&session.context))?;
    if !settings.providers.contains(&Provider::Standalone) {
        return Ok(None);
    }
    let store = session.services.open_store()?;
    let provided = match provide_outside(session, &store, &mut lock, &settings, version) {
        Err(toolchain::Error::NoArchiveList) => {
            let system = ensure(session, constraints)?;
            settings.standalone.list = Some(list_archives(session, &system)?);
            provide_outside(session, &store, &mut lock, &settings, version)
        }
        provided => provided,
    };
    match provided {
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            let message = format!("no standalone interpreter {version} for use outside sandboxes: {error}");
            let hint = "check the network, or set `UV_PYTHON_INSTALL_MIRROR` to a mirror of the archives";
            session.ui.warn_with_hint(&message, hint);
            Ok(None)
        }
        provided => {
            let tree = provided?;
            save(session, &lock, &path)?;
            Ok(tree)
        }
    }
}

fn provide_outside(
    session: &Session,
    store: &Store,
    lock: &mut Lock,
    settings: &ToolchainSettings,
    version: &str,
) -> Result<Option<Digest>, toolchain::Error> {
    let client = session.context.http_client();
    let context = ProviderContext::new(store, &client, settings, session.context.is_frozen());
    let _phase = session.ui.console.phase("preparing the toolchain");
    toolchain::provide_outside(lock, version, PLATFORM, &context)
}

/// A part of the system tree.
#[derive(Clone, Copy, Debug)]
pub enum SystemPart<'a> {
    /// A program, by its file name.
    Program(&'a str),
    /// A shared library, such as `libGL.so.1`.
    Library(&'a str),
}

/// Whether the Debian package of a program is known.
pub fn knows_program(program: &str) -> bool {
    package_of_program(program).is_some()
}

/// How to add missing programs and libraries to the system tree: one line for those whose packages are known, and one for
/// the others. The option replaces the default packages, so a repository that does not set it needs the whole list.
pub fn system_packages_advice(config: &Config, parts: &[SystemPart<'_>]) -> Vec<String> {
    let place = "in the section `[system]` of `waders.toml`";
    let (mut known, mut unknown, mut packages) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let (text, package) = match part {
            SystemPart::Program(name) => (format!("`{name}`"), package_of_program(name).map(str::to_owned)),
            SystemPart::Library(name) => (format!("`{name}`"), package_of_library(name)),
        };
        match package {
            Some(package) if packages.contains(&package) => {}
            Some(package) => {
                known.push(format!("{text} (Debian package `{package}`)"));
                packages.push(package);
            }
            None => unknown.push(text),
        }
    }
    packages.sort();
    packages.dedup();
    let mut lines = Vec::new();
    if !known.is_empty() {
        let is_unset = SystemSettings::parse(config).packages.is_empty();
        let defaults = if is_unset { system_packages(config) } else { Vec::new() };
        let quoted: Vec<String> = defaults.iter().chain(&packages).map(|name| format!("\"{name}\"")).collect();
        let quoted = quoted.join(", ");
        let advice = match is_unset {
            true => format!("set `packages = [{quoted}]` {place}"),
            false => format!("add `{quoted}` to `packages` {place}"),
        };
        lines.push(format!("the sandbox does not contain {}: {advice}", known.join(", ")));
    }
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        lines.push(format!("the sandbox does not contain {names}: add the Debian package to `packages` {place}"));
    }
    lines
}

/// Host resources that toolchain providers may use.
pub(super) fn machine(context: &session::Context) -> Machine {
    let environment = &context.environment;
    Machine {
        build_root: context.build_root.clone(),
        root: PathBuf::from("/"),
        home: environment.home.clone().unwrap_or_default(),
        path: std::env::split_paths(environment.var("PATH").unwrap_or_default()).collect(),
        pyenv_root: environment.var("PYENV_ROOT").map(PathBuf::from),
        python_mirror: context.python_mirror(),
        tracker: context.tracker.clone(),
    }
}
