//! What the goals of one command line share: the repository, loaded once, and the ways out to store, net and sandbox,
//! opened when first needed.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use waders_sandbox::Isolation;

use crate::base::RelPath;
use crate::build_file::{Diagnostic, Topic};
use crate::config::index::{self, Indexes, Place};
use crate::config::{Config, Environment};
use crate::engine::{Cancel, Engine, Wish};
use crate::goals::sources::Sources;
use crate::goals::{Error, Verdict, forbidden, loading, recipes, selected, unpackers};
use crate::look;
use crate::net::Client;
use crate::python::{self, Dependencies, Extent, SourceRoots};
use crate::report::ExitCode;
use crate::store::Store;
use crate::target::{Address, Broken, Severity, TargetGraph};

/// How messages may look.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    pub stderr_is_terminal: bool,
    pub colour: bool,
}

/// A message on standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    severity: String,
    text: String,
    hint: Option<String>,
}

pub struct Session {
    config: Config,
    environment: Environment,
    build_root: PathBuf,
    specs: Vec<String>,
    pub terminal: Terminal,
    graph: Option<Arc<TargetGraph>>,
    /// Mistakes in files that are yet to be told.
    broken: Vec<Broken>,
    /// Something in the repository is wrong and was told; the run goes on, but does not end well.
    pub has_mistakes: bool,
    source_roots: Option<Arc<SourceRoots>>,
    dependencies: Option<Arc<Dependencies>>,
    store: Option<Arc<Store>>,
    sources: Option<Arc<Sources>>,
    engine: Option<Arc<Engine>>,
    pub cancel: Cancel,
    /// What was told so far, in order.
    told: Mutex<Vec<Message>>,
    /// The store lost something that only locks and sources can bring back: those are gone through again.
    restores: bool,
}

impl Session {
    pub fn new(
        config: Config,
        environment: Environment,
        build_root: PathBuf,
        specs: Vec<String>,
        terminal: Terminal,
    ) -> Session {
        Session {
            config,
            environment,
            build_root,
            specs,
            terminal,
            graph: None,
            broken: Vec::new(),
            has_mistakes: false,
            source_roots: None,
            dependencies: None,
            store: None,
            sources: None,
            engine: None,
            cancel: Cancel::default(),
            told: Mutex::default(),
            restores: false,
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
    pub fn graph(&mut self) -> Result<Arc<TargetGraph>, Error> {
        if let Some(graph) = &self.graph {
            return Ok(graph.clone());
        }
        let loaded = loading::load(self)?;
        let graph = Arc::new(loaded.graph);
        self.graph = Some(graph.clone());
        // Most goals ask for it next, while this thread still goes through what was loaded.
        let ahead = graph.clone();
        rayon::spawn(move || ahead.look_ahead());
        self.broken = loaded.broken;
        loaded.diagnostics.iter().for_each(|diagnostic| self.tell_diagnostic(diagnostic));
        self.has_mistakes |= loaded.diagnostics.iter().any(Diagnostic::is_error);
        if self.config.text("reading", "broken_files") == Some("stop") && !self.broken.is_empty() {
            return Err(Error::Broken(self.tell_broken(|_| true)));
        }
        Ok(graph)
    }

    /// Tells the mistakes in files that matter to this run, each once, and how many those were.
    pub fn tell_broken(&mut self, matters: impl Fn(&Broken) -> bool) -> usize {
        let (told, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.broken).into_iter().partition(matters);
        self.broken = left;
        told.iter().for_each(|broken| self.tell_diagnostic(&broken.diagnostic));
        self.has_mistakes |= !told.is_empty();
        told.len()
    }

    /// Work that names targets and reads no sources: it does not matter to it that some are not there.
    pub fn naming<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        self.graph()?;
        let is_unmatched = |broken: &Broken| broken.diagnostic.topic == Topic::Unmatched;
        let (set_aside, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.broken).into_iter().partition(is_unmatched);
        self.broken = left;
        let done = work(self);
        self.broken.extend(set_aside);
        done
    }

    /// What was found on the way and did not matter to any goal of this run, in the repository and in the store.
    pub fn tell_rest(&mut self) {
        for notice in self.store.iter().flat_map(|store| store.take_notices()) {
            self.warn(&notice);
        }
        for Broken { mut diagnostic, .. } in std::mem::take(&mut self.broken) {
            diagnostic.severity = Severity::Warning;
            self.tell_diagnostic(&diagnostic);
        }
    }

    /// The targets that the command line selects, in the order in which lists are printed.
    pub fn selected(&mut self) -> Result<Vec<Address>, Error> {
        selected::selected(self)
    }

    /// The files that the command line selects, sorted.
    pub fn selected_files(&mut self) -> Result<Vec<RelPath>, Error> {
        selected::selected_files(self)
    }

    /// What was loaded is no longer so: a goal wrote into the repository.
    pub fn forget_repository(&mut self) {
        self.graph = None;
        self.source_roots = None;
        self.dependencies = None;
        self.sources = None;
    }

    /// From now on nothing is taken to be in the store that was there once.
    pub fn restore(&mut self) {
        // Of this run alone.
        look::beyond();
        self.restores = true;
        self.sources = None;
    }

    pub fn restores(&self) -> bool {
        self.restores
    }

    /// Every target's dependencies, written and inferred.
    pub fn dependencies(&mut self) -> Result<Arc<Dependencies>, Error> {
        match &self.dependencies {
            Some(dependencies) if dependencies.are_whole() => Ok(dependencies.clone()),
            _ => self.infer(Extent::Everything),
        }
    }

    /// Those of these targets and of all that they need, and perhaps of others: most goals work on a part of a
    /// repository, and reading the rest of it takes longer than they do.
    pub fn dependencies_of(&mut self, roots: &BTreeSet<Address>) -> Result<Arc<Dependencies>, Error> {
        match &self.dependencies {
            Some(dependencies) if roots.iter().all(|root| dependencies.cover(root)) => Ok(dependencies.clone()),
            _ => self.infer(Extent::From(roots)),
        }
    }

    /// Kept for the goals that follow.
    fn infer(&mut self, extent: Extent<'_>) -> Result<Arc<Dependencies>, Error> {
        let (graph, roots, sources) = (self.graph()?, self.source_roots()?, self.sources()?);
        let input = python::Input {
            graph: &graph,
            roots: &roots,
            settings: &python::Settings::of(&self.config)?,
            imports: &|files| sources.imports(files),
            texts: &|file| look::read_to_string(&file.to_path(&self.build_root)).ok(),
        };
        let dependencies = Arc::new(python::infer(&input, extent)?);
        sources.save_present(graph.files())?;
        self.dependencies = Some(dependencies.clone());
        Ok(dependencies)
    }

    /// Tells what inference found doubtful about these targets, once each, and which of their dependencies visibility
    /// rules forbid: with one of those no goal goes on.
    pub fn tell_doubts(&mut self, dependencies: &Dependencies, about: &BTreeSet<Address>) -> Result<(), Error> {
        for (_, doubt) in dependencies.diagnostics.iter().filter(|(target, _)| about.contains(target)) {
            self.tell_diagnostic(doubt);
            self.has_mistakes |= doubt.is_error();
        }
        self.tell_broken(|broken| about.iter().any(|address| broken.touches(&address.dir)));
        forbidden::check(self, dependencies, about)
    }

    pub fn tell_diagnostic(&self, diagnostic: &Diagnostic) {
        let severity = if diagnostic.is_error() { "error" } else { "warning" };
        self.tell(severity, &diagnostic.to_string(), diagnostic.hint.as_deref());
    }

    pub fn source_roots(&mut self) -> Result<Arc<SourceRoots>, Error> {
        if let Some(roots) = &self.source_roots {
            return Ok(roots.clone());
        }
        let graph = self.graph()?;
        let patterns = self.config.list("source", "root_patterns");
        let markers = self.config.list("source", "marker_filenames");
        let roots = Arc::new(SourceRoots::new(&patterns, &markers, graph.files().iter())?);
        self.source_roots = Some(roots.clone());
        Ok(roots)
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
        let sources = Arc::new(Sources::open(self.store()?, &self.build_root, strings, !self.restores)?);
        self.sources = Some(sources.clone());
        Ok(sources)
    }

    pub fn engine(&mut self) -> Result<Arc<Engine>, Error> {
        if let Some(engine) = &self.engine {
            return Ok(engine.clone());
        }
        let engine = Arc::new(Engine {
            store: self.store()?,
            spawner: OnceCell::new(),
            client: self.client(),
            unpackers: unpackers::all(),
            recipes: recipes::all(),
            settings: self.engine_settings(),
        });
        self.engine = Some(engine.clone());
        Ok(engine)
    }

    /// At the end of a run the kernel takes back the memory at once; freeing a large graph piece by piece takes longer.
    pub fn leave_memory(&mut self) {
        std::mem::forget(self.graph.take());
        std::mem::forget(self.dependencies.take());
    }

    pub fn was_interrupted(&self) -> bool {
        self.cancel.wish() != Wish::GoOn
    }

    /// Whether the user left the moving display on.
    pub fn shows_progress(&self) -> bool {
        self.config.value("GLOBAL", "dynamic_ui").as_bool().unwrap_or(true) && !self.environment.is_ci()
    }

    /// Whether locks must stay as they are.
    pub fn is_frozen(&self) -> bool {
        self.config.flag("GLOBAL", "frozen") || self.environment.is_ci()
    }

    /// Where results for people go: `dist`, unless set otherwise.
    pub fn dist_dir(&self) -> PathBuf {
        self.build_root.join(self.config.text("GLOBAL", "pants_distdir").unwrap_or("dist"))
    }

    /// The file of certificates that the user wants trusted.
    pub fn ca_bundle(&self) -> Option<PathBuf> {
        let named = self.config.text("GLOBAL", "ca_certs_path").map(PathBuf::from);
        named.or_else(|| index::ca_bundle(&self.environment.vars))
    }

    pub fn client(&self) -> Client {
        let network = index::network(&self.environment.vars);
        let settings = crate::net::Settings {
            ca_bundle: self.ca_bundle(),
            http_proxy: network.http_proxy,
            https_proxy: network.https_proxy,
            no_proxy: network.no_proxy,
            ..crate::net::Settings::default()
        };
        Client::new(settings)
    }

    /// Where packages come from: the repository's settings, else the user's own.
    pub fn indexes(&self) -> Result<Indexes, Error> {
        let vars = &self.environment.vars;
        let home = self.environment.home.clone().unwrap_or_default();
        let read = |path: PathBuf| {
            let text = look::read_to_string(&path).ok()?;
            Some(index::SettingsFile { path, text })
        };
        let uv: Vec<_> = index::uv_files(vars, &home).into_iter().filter_map(read).collect();
        let pip: Vec<_> = index::pip_files(vars, &home).into_iter().filter_map(read).collect();
        let mut found = index::discover(vars, &uv, &pip)?;
        if !self.config.value("python-repos", "indexes").is_null() {
            found.indexes = self.places("indexes");
        }
        found.find_links.splice(0..0, self.places("find_links"));
        Ok(found)
    }

    /// Of the section `[python-repos]`.
    fn places(&self, option: &str) -> Vec<Place> {
        let named_by = format!("`{option}` in the section `[python-repos]`");
        let place = |url: &str| Place { url: url.to_owned(), named_by: named_by.clone() };
        self.config.list("python-repos", option).into_iter().map(place).collect()
    }

    /// What the process ends with where this is its last goal: mistakes in the repository are no success.
    pub fn exit_code(&self, verdict: Verdict) -> u8 {
        match verdict {
            Verdict::Good if self.has_mistakes => ExitCode::Failure.number(),
            verdict => verdict.exit_code(),
        }
    }

    /// To standard output, for machines and people alike.
    pub fn print(&self, text: &str) -> Result<(), Error> {
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            // A reader that has seen enough, such as `head`, is no failure of ours.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|source| Error::Output { path: "standard output".into(), source }),
        }
    }

    pub fn warn(&self, message: &str) {
        self.tell("warning", message, None);
    }

    /// One message on standard error, and what to do about it.
    pub fn tell(&self, severity: &str, message: &str, hint: Option<&str>) {
        self.tell_message(Message {
            severity: severity.to_owned(),
            text: message.to_owned(),
            hint: hint.map(str::to_owned),
        });
    }

    pub fn tell_message(&self, message: Message) {
        eprintln!("{}: {}", message.severity, message.text);
        if let Some(hint) = &message.hint {
            eprintln!("hint: {hint}");
        }
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }

    /// Everything on standard error so far, but for what became of steps.
    pub fn told(&self) -> Vec<Message> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether all that was loaded is in order, and all that is not was told.
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty() && !self.has_mistakes
    }

    /// The current directory below the build root.
    pub fn cwd(&self) -> Result<RelPath, Error> {
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
                Some("no-landlock") => Isolation::NoLandlock,
                _ => Isolation::Full,
            },
            grace: Duration::from_secs(number("grace").unwrap_or(30)),
            scratch_bytes: number("scratch_size").unwrap_or(2 << 30),
            scratch_inodes: number("scratch_inodes").unwrap_or(200_000),
            processes: number("processes").unwrap_or(4096),
            open_files: number("open_files").unwrap_or(65_536),
            file_bytes: number("file_size").unwrap_or(16 << 30),
            memory_bytes: number("memory"),
        }
    }
}
