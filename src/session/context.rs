//! What one command line fixes for the whole run: settings, environment, build root and specs. Only answers that follow
//! from these are given here; nothing is loaded, opened or downloaded.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tracing::level_filters::LevelFilter;

use crate::base::RelPath;
use crate::config::index::{self, IndexUrl, Indexes};
use crate::config::typed::{GlobalSettings, KeepSandboxes, PythonReposSettings, StoreSettings};
use crate::config::{Config, Environment};
use crate::engine::Preserve;
use crate::net::{self, Client};
use crate::report::log::LogSettings;
use crate::session::Error;
use crate::tracked::Tracker;

/// Shared by all parts of a session.
#[derive(Debug)]
pub struct Context {
    /// The merged settings.
    pub config: Config,
    /// The environment of the process.
    pub environment: Environment,
    /// Absolute.
    pub build_root: PathBuf,
    /// As the command line has them.
    pub specs: Vec<String>,
    /// Records the files that the run reads while it plans.
    pub tracker: Tracker,
    /// The number of bytes that all clients of the run have received.
    pub received_bytes: Arc<AtomicU64>,
}

impl Context {
    /// The context of a run that has read nothing yet. `specs` are as the command line has them.
    pub fn new(config: Config, environment: Environment, build_root: PathBuf, specs: Vec<String>) -> Context {
        let (tracker, received_bytes) = (Tracker::default(), Arc::default());
        Context { config, environment, build_root, specs, tracker, received_bytes }
    }

    /// The section `[GLOBAL]`.
    pub fn global(&self) -> GlobalSettings {
        GlobalSettings::parse(&self.config)
    }

    /// An error if an option was read whose value has an undefined placeholder.
    pub fn refuse_undefined_options(&self) -> Result<(), Error> {
        self.config.undefined_read().map_or(Ok(()), |error| Err(error.into()))
    }

    /// Whether lockfiles must not be changed.
    pub fn is_frozen(&self) -> bool {
        self.global().frozen || self.environment.is_ci()
    }

    /// Whether the user left the dynamic display of progress on.
    pub fn shows_progress(&self) -> bool {
        self.global().dynamic_ui.unwrap_or(true) && !self.environment.is_ci()
    }

    /// The steps that are preserved for inspection.
    pub fn preserved_sandboxes(&self) -> Preserve {
        let global = self.global();
        let dir = match &global.kept_sandboxes_dir {
            Some(dir) => self.build_root.join(dir),
            None => self.build_root.join(&global.work_dir).join("sandboxes"),
        };
        Preserve {
            successful: global.keep_sandboxes == KeepSandboxes::Always,
            failed: global.keep_sandboxes != KeepSandboxes::Never,
            dir,
        }
    }

    /// A path as messages show it: relative to the build root, if it is there.
    pub fn display_path(&self, path: &Path) -> String {
        path.strip_prefix(&self.build_root).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// The directory for results, `dist` unless configured otherwise.
    pub fn dist_dir(&self) -> PathBuf {
        self.build_root.join(self.global().dist_dir)
    }

    /// A path of a setting, in which `{distdir}` stands for the directory for results.
    pub fn output_path(&self, text: &str) -> PathBuf {
        self.build_root.join(text.replace("{distdir}", &self.dist_dir().to_string_lossy()))
    }

    /// Where the log goes: to the configured directory, else to the work directory of a repository that has one, and in CI,
    /// which keeps it as an artifact.
    pub fn log_settings(&self, colour: bool) -> LogSettings {
        let global = self.global();
        let workdir = self.build_root.join(&global.work_dir);
        let configured = global.log_dir.map(|dir| self.build_root.join(dir));
        LogSettings {
            level: global.level.parse().unwrap_or(LevelFilter::INFO),
            filter: self.environment.var("WADERS_LOG").map(str::to_owned),
            dir: configured.or_else(|| self.environment.is_ci().then(|| workdir.clone())),
            workdir,
            colour,
        }
    }

    /// The current directory, relative to the build root.
    pub fn cwd(&self) -> Result<RelPath, Error> {
        let below = self.environment.cwd.strip_prefix(&self.build_root).unwrap_or(Path::new(""));
        Ok(RelPath::parse(&below.to_string_lossy())?)
    }

    /// The file of certificates that the user trusts.
    pub fn ca_bundle(&self) -> Option<PathBuf> {
        let configured = self.global().ca_certs_path;
        configured.or_else(|| index::ca_bundle(&self.environment.vars))
    }

    /// A client with the user's certificates and proxies. It connects when it is first used.
    pub fn http_client(&self) -> Client {
        self.http_client_with(|settings| settings)
    }

    /// A client whose settings differ from those of the user.
    pub(super) fn http_client_with(&self, change: impl FnOnce(net::NetworkSettings) -> net::NetworkSettings) -> Client {
        let network = index::network(&self.environment.vars);
        Client::new(change(net::NetworkSettings {
            ca_bundle: self.ca_bundle(),
            http_proxy: network.http_proxy,
            https_proxy: network.https_proxy,
            no_proxy: network.no_proxy,
            received_bytes: self.received_bytes.clone(),
            netrc: index::netrc(&self.environment.vars, self.environment.home.as_deref()),
            attempts: self.global().download_attempts,
            retry_delay: self.global().download_retry_delay,
            ..net::NetworkSettings::default()
        }))
    }

    /// The package indexes: from the repository's settings, else from the user's settings of uv and pip.
    pub fn package_indexes(&self) -> Result<Indexes, Error> {
        let vars = &self.environment.vars;
        let home = self.environment.home.clone().unwrap_or_default();
        let (uv, pip) = (self.uv_files(), self.read_config_files(index::pip_files(vars, &home)));
        let mut found = index::discover(vars, &uv, &pip)?;
        let configured = PythonReposSettings::parse(&self.config);
        if let Some(indexes) = configured.indexes {
            found.indexes = places("indexes", indexes);
        }
        found.find_links.splice(0..0, places("find_links", configured.find_links));
        Ok(found)
    }

    /// The mirror of standalone interpreters in the user's settings of uv.
    pub fn python_mirror(&self) -> Option<String> {
        index::python_mirror(&self.environment.vars, &self.uv_files())
    }

    fn uv_files(&self) -> Vec<index::ConfigFile> {
        let home = self.environment.home.clone().unwrap_or_default();
        self.read_config_files(index::uv_files(&self.environment.vars, &home))
    }

    /// The files that exist.
    fn read_config_files(&self, paths: Vec<PathBuf>) -> Vec<index::ConfigFile> {
        let read = |path: PathBuf| {
            let text = self.tracker.read_to_string(&path).ok()?;
            Some(index::ConfigFile { path, text })
        };
        paths.into_iter().filter_map(read).collect()
    }

    /// The directory of the store.
    pub fn store_dir(&self) -> Result<PathBuf, Error> {
        if let Some(dir) = StoreSettings::parse(&self.config).dir {
            return Ok(self.build_root.join(self.environment.expand_home(&dir)));
        }
        let cache = self.environment.var("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| self.environment.home.as_ref().map(|home| home.join(".cache")));
        Ok(cache.ok_or(Error::NoHome)?.join("waders"))
    }
}

/// The pages that may list the files of a project.
pub fn package_pages(indexes: &Indexes, project: &str) -> Vec<String> {
    // `find-links` may name a directory without a scheme.
    let directory = |place: &str| if place.starts_with('/') { format!("file://{place}") } else { place.to_owned() };
    let links = indexes.find_links.iter().map(|place| directory(&place.url));
    indexes.indexes.iter().map(|place| net::project_url(&place.url, project)).chain(links).collect()
}

/// A URI without user and password.
pub fn without_credentials(uri: &str) -> String {
    net::without_credentials(uri)
}

/// The URLs of an option of `[python-repos]`.
fn places(option: &str, urls: Vec<String>) -> Vec<IndexUrl> {
    let named_by = format!("`{option}` in the section `[{}]`", PythonReposSettings::SECTION);
    urls.into_iter().map(|url| IndexUrl { url, named_by: named_by.clone() }).collect()
}
