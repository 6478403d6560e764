//! What the goals of one command line share: the repository, loaded once, and the ways out to store, net and sandbox,
//! opened when first needed.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use waders_sandbox::{Isolation, Spawner};

use crate::base::RelPath;
use crate::config::index::{self, Indexes};
use crate::config::{Config, Environment};
use crate::engine::{Cancel, Engine};
use crate::goals::sources::Sources;
use crate::goals::{Error, unpackers};
use crate::net::Client;
use crate::python::{self, Dependencies, SourceRoots};
use crate::store::Store;
use crate::target::{self, Address, Repository};

/// How messages may look.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    pub stderr_is_terminal: bool,
    pub colour: bool,
}

pub struct Session {
    config: Config,
    environment: Environment,
    build_root: PathBuf,
    specs: Vec<String>,
    pub terminal: Terminal,
    /// Started before any thread, by `main`; taken by the engine.
    spawner: Option<Spawner>,
    repository: Option<Arc<Repository>>,
    dependencies: Option<Arc<Dependencies>>,
    store: Option<Arc<Store>>,
    sources: Option<Arc<Sources>>,
    engine: Option<Arc<Engine>>,
    pub cancel: Cancel,
}

impl Session {
    pub fn new(
        config: Config,
        environment: Environment,
        build_root: PathBuf,
        specs: Vec<String>,
        terminal: Terminal,
        spawner: Option<Spawner>,
    ) -> Session {
        Session {
            config,
            environment,
            build_root,
            specs,
            terminal,
            spawner,
            repository: None,
            dependencies: None,
            store: None,
            sources: None,
            engine: None,
            cancel: Cancel::default(),
        }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    pub fn build_root(&self) -> &Path {
        &self.build_root
    }

    pub fn specs(&self) -> &[String] {
        &self.specs
    }

    /// Every target of the repository. What is broken in it is told as it is found, and stops nothing by itself.
    pub fn repository(&mut self) -> Result<Arc<Repository>, Error> {
        if let Some(repository) = &self.repository {
            return Ok(repository.clone());
        }
        let repository = Arc::new(target::load(&self.build_root, &self.config)?);
        for diagnostic in &repository.diagnostics {
            self.tell(&diagnostic.to_string());
        }
        self.repository = Some(repository.clone());
        Ok(repository)
    }

    /// The targets that the command line selects, sorted.
    pub fn selected(&mut self) -> Result<Vec<Address>, Error> {
        let repository = self.repository()?;
        let cwd = self.cwd()?;
        Ok(target::select(&repository, &self.config, &self.specs, &cwd)?)
    }

    /// Every target's dependencies, written and inferred.
    pub fn dependencies(&mut self) -> Result<Arc<Dependencies>, Error> {
        if let Some(dependencies) = &self.dependencies {
            return Ok(dependencies.clone());
        }
        let repository = self.repository()?;
        let settings = python::Settings::of(&self.config)?;
        let roots = self.source_roots()?;
        let sources = self.sources()?;
        let files = python::infer::sources(&repository.graph);
        let imports: HashMap<_, _> = sources.imports(&files)?;
        let dependencies = python::infer(&python::Input {
            graph: &repository.graph,
            roots: &roots,
            settings: &settings,
            imports: &|file| imports.get(file).cloned(),
            explicit: &|target| target::explicit(&repository.graph, target),
            exists: &|file| repository.files.contains(file),
        });
        for diagnostic in dependencies.diagnostics() {
            self.tell(&diagnostic.to_string());
        }
        let dependencies = Arc::new(dependencies);
        self.dependencies = Some(dependencies.clone());
        Ok(dependencies)
    }

    pub fn source_roots(&mut self) -> Result<SourceRoots, Error> {
        let repository = self.repository()?;
        let patterns = self.config.list("source", "root_patterns");
        let markers = self.config.list("source", "marker_filenames");
        Ok(SourceRoots::new(&patterns, &markers, repository.files.all())?)
    }

    pub fn store(&mut self) -> Result<Arc<Store>, Error> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let store = Arc::new(Store::open(&self.store_dir()?)?);
        self.store = Some(store.clone());
        Ok(store)
    }

    pub fn sources(&mut self) -> Result<Arc<Sources>, Error> {
        if let Some(sources) = &self.sources {
            return Ok(sources.clone());
        }
        let strings = python::Settings::of(&self.config)?.wants_strings();
        let sources = Arc::new(Sources::open(self.store()?, &self.build_root, strings)?);
        self.sources = Some(sources.clone());
        Ok(sources)
    }

    pub fn engine(&mut self) -> Result<Arc<Engine>, Error> {
        if let Some(engine) = &self.engine {
            return Ok(engine.clone());
        }
        let spawner = match self.spawner.take() {
            Some(spawner) => spawner,
            None => Spawner::start()?,
        };
        let engine = Arc::new(Engine {
            store: self.store()?,
            spawner,
            client: self.client()?,
            unpackers: unpackers::all(),
            settings: self.engine_settings(),
        });
        self.engine = Some(engine.clone());
        Ok(engine)
    }

    pub fn client(&self) -> Result<Client, Error> {
        let vars = &self.environment.vars;
        let named = self.config.text("GLOBAL", "ca_certs_path").map(PathBuf::from);
        let ca_bundle = named.or_else(|| index::ca_bundle(vars));
        let variable = |name: &str| vars.get(name).or_else(|| vars.get(&name.to_uppercase())).cloned();
        let settings = crate::net::Settings {
            ca_bundle,
            http_proxy: variable("http_proxy"),
            https_proxy: variable("https_proxy"),
            no_proxy: variable("no_proxy").map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default(),
            ..crate::net::Settings::default()
        };
        Ok(Client::new(&settings)?)
    }

    /// Where packages come from: the repository's settings, else the user's own.
    pub fn indexes(&self) -> Result<Indexes, Error> {
        let vars = &self.environment.vars;
        let home = self.environment.home.clone().unwrap_or_default();
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).ok()?;
            Some(index::SettingsFile { path, text })
        };
        let uv: Vec<_> = index::uv_files(vars, &home).into_iter().filter_map(read).collect();
        let pip: Vec<_> = index::pip_files(vars, &home).into_iter().filter_map(read).collect();
        Ok(index::discover(vars, &uv, &pip)?)
    }

    /// Lines of data: to standard output, or to the file that `--output-file` names.
    pub fn output(&self, goal: &str, lines: &[String]) -> Result<(), Error> {
        let separator = self.config.text(goal, "sep").unwrap_or("\n").replace("\\n", "\n").replace("\\0", "\0");
        let mut text = lines.join(&separator);
        if !lines.is_empty() {
            text.push('\n');
        }
        match self.config.text(goal, "output_file") {
            Some(file) => {
                let path = self.build_root.join(file);
                std::fs::write(&path, text).map_err(|source| Error::Output { path, source })
            }
            // A reader that has seen enough, such as `head`, is no failure of ours.
            None => match std::io::stdout().lock().write_all(text.as_bytes()) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                result => result.map_err(|source| Error::Output { path: "standard output".into(), source }),
            },
        }
    }

    pub fn warn(&self, message: &str) {
        self.tell(&format!("warning: {message}"));
    }

    pub fn tell(&self, message: &str) {
        eprintln!("{message}");
    }

    /// The current directory below the build root.
    fn cwd(&self) -> Result<RelPath, Error> {
        let below = self.environment.cwd.strip_prefix(&self.build_root).unwrap_or(Path::new(""));
        Ok(RelPath::parse(&below.to_string_lossy())?)
    }

    fn store_dir(&self) -> Result<PathBuf, Error> {
        if let Some(dir) = self.config.text("store", "dir") {
            return Ok(self.build_root.join(self.environment.expand_home(dir)));
        }
        let cache = self.environment.var("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| self.environment.home.as_ref().map(|home| home.join(".cache")));
        Ok(cache.ok_or(Error::NoHome)?.join("waders"))
    }

    fn engine_settings(&self) -> crate::engine::Settings {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let number = |option| self.config.integer("sandbox", option).and_then(|number| u64::try_from(number).ok());
        let parallelism = self.config.integer("GLOBAL", "process_execution_local_parallelism");
        crate::engine::Settings {
            parallelism: parallelism.and_then(|count| usize::try_from(count).ok()).unwrap_or(cores).max(1),
            isolation: match self.config.text("sandbox", "isolation") {
                Some("none") => Isolation::None,
                Some("no-landlock") => Isolation::NoLandlock,
                _ => Isolation::Full,
            },
            grace: Duration::from_secs(number("grace").unwrap_or(30)),
            scratch_bytes: number("scratch_size").unwrap_or(2 << 30),
            scratch_inodes: number("scratch_inodes").unwrap_or(200_000),
        }
    }
}
