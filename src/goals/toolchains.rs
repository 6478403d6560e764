//! The pinned system tree and interpreters of a run: what the settings want, made present, and `waders.lock` kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::action::Source;
use crate::goals::{Error, Session};
use crate::plan::interpreter::Interpreter;
use crate::toolchain::{self, Constraints, Context, DEFAULT_PACKAGES, Lock, Provider, Toolchain, Wanted, debian, host};

/// The lock's name in the build root.
pub const LOCK: &str = "waders.lock";

const PLATFORM: &str = "linux-x86_64";

/// The toolchain for these interpreter constraints; the lock is written when it had to grow.
pub fn ensure(session: &mut Session, constraints: &[String]) -> Result<Toolchain, Error> {
    with_lock(session, constraints, toolchain::ensure)
}

/// As `ensure`, with every tree made again: for a store that lost a part of one.
pub fn restore(session: &mut Session, constraints: &[String]) -> Result<Toolchain, Error> {
    with_lock(session, constraints, toolchain::restore)
}

type Ensure = fn(&mut Lock, &Wanted, &Context<'_>) -> Result<Toolchain, toolchain::Error>;

fn with_lock(session: &mut Session, constraints: &[String], ensure: Ensure) -> Result<Toolchain, Error> {
    let path = session.build_root().join(LOCK);
    let (store, client) = (session.store()?, session.client()?);
    let settings = settings(session);
    let frozen = session.is_frozen();
    let mut packages: Vec<String> = DEFAULT_PACKAGES.map(str::to_owned).to_vec();
    packages.extend(session.config().list("system", "packages").into_iter().map(str::to_owned));
    let wanted =
        Wanted { platform: PLATFORM.to_owned(), packages, python: Some(Constraints::parse(constraints)?) };
    let mut lock = Lock::load(&path)?;
    let toolchain = ensure(&mut lock, &wanted, &Context::new(&store, &client, &settings, frozen))?;
    if !frozen && lock.save(&path)? {
        let advice = "commit it, so that everybody builds with the same toolchain";
        session.tell("note", &format!("wrote `{LOCK}`"), Some(advice));
    }
    Ok(toolchain)
}

pub fn interpreter(toolchain: &Toolchain) -> Option<Interpreter> {
    let version = toolchain.python_version.clone()?;
    let minor = version.rsplit_once('.')?.0.to_owned();
    let images = toolchain.mounts.iter().map(|(at, tree)| (at.clone(), Source::Tree(*tree)));
    Some(Interpreter {
        python: toolchain.python.as_ref()?.to_str()?.to_owned(),
        version,
        minor,
        images: images.collect::<BTreeMap<_, _>>(),
    })
}

fn settings(session: &Session) -> toolchain::Settings {
    let (config, environment) = (session.config(), session.environment());
    let text = |option: &str| config.text("system", option).map(str::to_owned);
    let providers = config.list("toolchain", "providers").into_iter().filter_map(Provider::parse);
    let path = environment.var("PATH").unwrap_or_default();
    toolchain::Settings {
        providers: providers.collect(),
        debian: debian::Settings {
            mirror: text("mirror"),
            snapshot_mirror: text("snapshot_mirror"),
            suite: text("suite"),
            keyring: text("keyring").map(PathBuf::from),
            apt_sources: debian::sources::files(Path::new("/etc/apt")),
            codename: codename(),
            keyring_dirs: ["/usr/share/keyrings", "/etc/apt/keyrings", "/etc/apt/trusted.gpg.d"].map(PathBuf::from).to_vec(),
        },
        standalone: toolchain::standalone::Settings {
            url_template: config.text("toolchain", "standalone_url_template").map(str::to_owned),
            versions: config.list("toolchain", "standalone_versions").into_iter().map(str::to_owned).collect(),
        },
        host: host::Settings {
            versions_dirs: versions_dirs(environment),
            path: std::env::split_paths(path).collect(),
        },
    }
}

/// Where pyenv keeps its interpreters.
fn versions_dirs(environment: &crate::config::Environment) -> Vec<PathBuf> {
    let root = environment.var("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| environment.home.as_ref().map(|home| home.join(".pyenv")));
    root.into_iter().map(|root| root.join("versions")).collect()
}

/// The release that this machine runs, if it is a Debian: os-release(5).
fn codename() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    if !text.lines().any(|line| line == "ID=debian") {
        return None;
    }
    let value = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim_matches('"').to_owned())
}
