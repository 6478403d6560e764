//! What the goals of one command line share: the repository, loaded once; the services, opened when first needed; the
//! user interface. The only room that holds both ends of the hinge: what Pants means, and how actions run.

pub mod checkup;
mod context;
pub mod error;
mod evaluate;
pub mod execute;
pub mod failure;
pub mod foreground;
mod git;
pub mod git_packages;
pub mod image_builder;
pub mod implied_targets;
pub mod keys;
mod late_toolchains;
mod load;
pub mod memo;
mod python_archives;
pub mod records;
pub mod registries;
pub mod remote;
pub mod repeat;
mod repository;
pub mod reuse;
pub mod rewrite;
pub mod run_log;
pub mod selection;
mod services;
pub mod sources;
mod timeline;
pub mod toolchains;
mod ui;
pub mod verdict;
mod visibility;
mod workers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::RelPath;
use crate::base::error_chain;
use crate::build_file::{Diagnostic, Severity, Topic};
use crate::config::typed::{BrokenFiles, ReadingSettings, SourceSettings};
use crate::config::{Config, Environment};
use crate::inference::{self, Dependencies, Extent, SourceRoots};
use crate::plan::version_run::Description;
use crate::report::{self, ExitCode, IgnoredWarnings};
use crate::session::run_log::StoredSteps;
use crate::targets::{Address, LoadError, TargetGraph};

pub use context::{Context, package_pages, without_credentials};
pub use error::Error;
pub use git::{CheckedOut, references as git_references};
pub use load::load_quietly;
pub use repository::Repository;
pub use services::{Execution, Services};
pub use ui::{Terminal, Ui};
pub use verdict::Verdict;

/// The length of a day.
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// One run of the program.
pub struct Session {
    /// The settings and the environment of the run.
    pub context: Arc<Context>,
    /// What is known of the repository.
    pub repository: Repository,
    /// The store, the toolchains and the network, opened on demand.
    pub services: Services,
    /// The output streams and the messages.
    pub ui: Ui,
}

impl Session {
    /// A session in which nothing is loaded yet. `specs` are as the command line has them.
    pub fn new(
        config: Config,
        environment: Environment,
        build_root: PathBuf,
        specs: Vec<String>,
        terminal: Terminal,
    ) -> Result<Session, Error> {
        let context = Arc::new(Context::new(config, environment, build_root, specs));
        crate::report::log::start(&context.log_settings(terminal.colour))?;
        let ignored = IgnoredWarnings::parse(&context.global().ignore_warnings)?;
        let ui = Ui::new(terminal, context.shows_progress(), context.received_bytes.clone(), ignored);
        let services = Services::new(context.clone())?;
        execute::listen_for_interrupts(&services, &ui);
        Ok(Session { repository: Repository::default(), services, ui, context })
    }

    /// Waits for results that are being stored in the remote cache, and reports how that was used.
    pub fn finish_remote_cache(&mut self) {
        let pending = self.services.pending_uploads();
        if pending > 0 {
            let noun = if pending == 1 { "result" } else { "results" };
            let phase = self.ui.console.phase(&format!("storing {pending} {noun} in the remote cache"));
            let left = self.services.finish_uploads();
            drop(phase);
            if left > 0 {
                let text = format!("{left} results were not stored in the remote cache in time");
                self.ui.warn_with_hint(&text, "`[remote] upload_wait` is the time that a run waits for them");
            }
        }
        self.report_remote_problems();
        if let Some(line) = self.services.remote_summary().as_ref().and_then(remote::summary_line) {
            self.ui.summary(&line);
        }
        if let Some(line) = self.services.worker_summary().as_ref().and_then(workers::summary_line) {
            self.ui.summary(&line);
        }
    }

    /// Reports problems with the remote cache and with workers. They change no result, so that a later run may use the results of this one.
    pub(crate) fn report_remote_problems(&self) {
        for (text, hint) in self.services.take_remote_warnings() {
            match hint {
                Some(hint) => self.ui.warn_with_hint(&text, &hint),
                None => self.ui.warn(&text),
            }
        }
    }

    /// Ends the use of the store. A failure only means that the store is not shrunk, and the next run tries again.
    pub fn tidy_store(&mut self) {
        let phase = self.ui.console.phase("closing the store");
        let tidied = self.services.tidy_store();
        drop(phase);
        match tidied {
            Ok(None) => {}
            Ok(Some(collected)) => {
                let removed = report::size(collected.removed_bytes);
                let text = format!("removed {removed} that were not used recently from the store");
                self.ui.note(&text, Some("`max_size` in the section `[store]` of `waders.toml` is the size limit"));
            }
            Err(error) => tracing::warn!("the store was not shrunk: {error}"),
        }
    }

    /// The settings of the run.
    pub fn config(&self) -> &Config {
        &self.context.config
    }

    /// The caller's environment.
    pub fn environment(&self) -> &Environment {
        &self.context.environment
    }

    /// The directory that holds `pants.toml`, absolute.
    pub fn build_root(&self) -> &Path {
        &self.context.build_root
    }

    /// The commit that is checked out; `None` without git or a commit.
    pub fn checked_out(&self) -> Result<Option<CheckedOut>, Error> {
        Ok(CheckedOut::find(&self.context.tracker, self.build_root())?)
    }

    /// The commit that is checked out, as versions are computed from it. `has_time`: the version of a changed checkout contains the
    /// present day.
    pub fn describe_commit(&mut self, has_time: bool) -> Result<Description, Error> {
        let description = git::describe(&self.context.tracker, self.build_root()).map_err(Error::Version)?;
        if description.tag.is_none() && git::is_shallow(self.build_root()) {
            let hint =
                "fetch the tags, for instance with `git fetch --unshallow --tags`, or with a greater fetch depth in CI";
            self.ui
                .warn_with_hint("this is a shallow clone without a tag, so that versions from git begin with 0", hint);
        }
        #[expect(clippy::disallowed_methods, reason = "the day is an input of the step that computes the version")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs() / DAY_SECONDS * DAY_SECONDS);
        Ok(Description { now: now.ok().filter(|_| has_time && description.dirty), ..description })
    }

    /// The nearest tag with a digit before the commit that is checked out; `None` without one, and without git.
    pub fn nearest_tag(&self) -> Option<String> {
        git::nearest_tag(&self.context.tracker, self.build_root())
    }

    /// Every target of the repository. BUILD files that need more Python than is evaluated here run in a sandbox. Errors
    /// in BUILD files are kept to be reported, and stop nothing by themselves.
    pub fn load_graph(&mut self) -> Result<Arc<TargetGraph>, Error> {
        if let Some(graph) = &self.repository.graph {
            return Ok(graph.clone());
        }
        let phase = self.ui.console.phase("loading targets");
        let loaded = load::load(self)?;
        drop(phase);
        let graph = Arc::new(loaded.graph);
        self.repository.graph = Some(graph.clone());
        // Most goals ask for these tables next, while this thread still works on what was loaded.
        let ahead = graph.clone();
        rayon::spawn(move || ahead.build_indexes());
        self.repository.load_errors = loaded.errors;
        let is_expected = |found: &&Diagnostic| self.repository.creates_lockfiles && found.topic == Topic::NoLockfile;
        let unexpected = loaded.diagnostics.iter().filter(|found| !is_expected(found));
        unexpected.for_each(|diagnostic| self.ui.report_diagnostic(diagnostic));
        self.repository.has_errors |= loaded.diagnostics.iter().any(Diagnostic::is_error);
        let stops = ReadingSettings::parse(self.config()).broken_files == BrokenFiles::Stop;
        if stops && !self.repository.load_errors.is_empty() {
            return Err(Error::Broken(self.report_load_errors(|_| true)));
        }
        Ok(graph)
    }

    /// The source roots of the repository.
    pub fn find_source_roots(&mut self) -> Result<Arc<SourceRoots>, Error> {
        if let Some(roots) = &self.repository.source_roots {
            return Ok(roots.clone());
        }
        let graph = self.load_graph()?;
        let SourceSettings { root_patterns, marker_filenames } = SourceSettings::parse(self.config());
        let [patterns, markers] =
            [&root_patterns, &marker_filenames].map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
        let roots = Arc::new(SourceRoots::new(&patterns, &markers, graph.files().iter())?);
        self.repository.source_roots = Some(roots.clone());
        Ok(roots)
    }

    /// The dependencies of every target, declared and inferred. Reads all sources.
    pub fn infer_all(&mut self) -> Result<Arc<Dependencies>, Error> {
        match &self.repository.dependencies {
            Some(dependencies) if dependencies.is_complete() => Ok(dependencies.clone()),
            _ => self.infer(Extent::Everything),
        }
    }

    /// The dependencies of these targets and of everything that they need, and perhaps of other targets: most goals work
    /// on a part of a repository, and reading the rest takes longer than they do. What was asked for before stays known.
    pub fn infer_for(&mut self, roots: &BTreeSet<Address>) -> Result<Arc<Dependencies>, Error> {
        match &self.repository.dependencies {
            Some(dependencies) if roots.iter().all(|root| dependencies.is_inferred(root)) => Ok(dependencies.clone()),
            _ => {
                self.repository.inferred.extend(roots.iter().cloned());
                let all = self.repository.inferred.clone();
                self.infer(Extent::From(&all))
            }
        }
    }

    fn infer(&mut self, extent: Extent<'_>) -> Result<Arc<Dependencies>, Error> {
        let graph = self.load_graph()?;
        let dependencies = Arc::new(self.infer_in(&graph, extent)?);
        self.services.open_sources()?.save_present(graph.files())?;
        self.repository.dependencies = Some(dependencies.clone());
        Ok(dependencies)
    }

    /// The dependencies in a graph with the files of this repository, which may have other targets.
    fn infer_in(&mut self, graph: &TargetGraph, extent: Extent<'_>) -> Result<Dependencies, Error> {
        let roots = self.find_source_roots()?;
        let sources = self.services.open_sources()?;
        let context = &self.context;
        let input = inference::InferenceInput {
            graph,
            roots: &roots,
            settings: &inference::InferenceSettings::from_config(&context.config)?,
            imports: &|files| sources.imports(files),
            texts: &|file| context.tracker.read_to_string(&file.to_path(&context.build_root)).ok(),
        };
        let _phase = self.ui.console.phase("inferring dependencies");
        Ok(inference::infer(&input, extent)?)
    }

    /// The targets that the command line selects, in the order in which lists are printed.
    pub fn select(&mut self) -> Result<Vec<Address>, Error> {
        selection::selected(self)
    }

    /// The files that the command line selects, sorted.
    pub fn select_files(&mut self) -> Result<Vec<RelPath>, Error> {
        selection::selected_files(self)
    }

    /// Runs `work`, which names targets and reads no sources: sources that do not exist are no error for it.
    pub fn ignoring_missing_sources<T>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.load_graph()?;
        let unmatched = self.repository.take_unmatched_sources();
        let result = work(self);
        self.repository.load_errors.extend(unmatched);
        result
    }

    /// Reports the errors in BUILD files that `matches` selects, each once. Returns their number.
    pub fn report_load_errors(&mut self, matches: impl Fn(&LoadError) -> bool) -> usize {
        let errors = self.repository.take_errors(matches);
        self.report_errors(&errors)
    }

    fn report_errors(&mut self, errors: &[LoadError]) -> usize {
        errors.iter().for_each(|error| self.ui.report_diagnostic(&error.diagnostic));
        self.repository.has_errors |= !errors.is_empty();
        errors.len()
    }

    /// Reports what inference found doubtful about these targets, and their dependencies that visibility rules forbid:
    /// a forbidden one stops every goal.
    pub fn report_inference(&mut self, dependencies: &Dependencies, targets: &BTreeSet<Address>) -> Result<(), Error> {
        // The targets of one generator repeat what concerns their common declaration.
        let mut reported = BTreeSet::new();
        for (_, diagnostic) in dependencies.diagnostics.iter().filter(|(target, _)| targets.contains(target)) {
            if reported.insert(diagnostic.to_string()) {
                self.ui.report_diagnostic(diagnostic);
            }
            self.repository.has_errors |= diagnostic.is_error();
        }
        let errors = self.repository.take_errors_of(targets);
        self.report_errors(&errors);
        visibility::check(self, dependencies, targets)
    }

    /// Reports as warnings what was found and mattered to no goal of this run, in the repository and in the store.
    pub fn report_leftovers(&mut self) {
        for notice in self.services.take_store_notices() {
            self.ui.warn(&notice);
        }
        for LoadError { mut diagnostic, .. } in self.repository.take_errors(|_| true) {
            diagnostic.severity = Severity::Warning;
            self.ui.report_diagnostic(&diagnostic);
        }
    }

    /// Forgets what was loaded: a goal changed files of the repository.
    pub fn forget_repository(&mut self) {
        self.repository.forget();
        self.services.forget_sources();
    }

    /// Ends the steps of a goal in the record of this run. A record that cannot be stored is reported, and stops nothing.
    pub fn end_part(&self, goal: &str) -> Option<StoredSteps> {
        self.services.run_log.end_part(goal).unwrap_or_else(|error| {
            self.warn_unrecorded(&error);
            None
        })
    }

    /// Stores the record of this run, which is over.
    pub fn close_run_log(&self, exit_code: u8) {
        if let Err(error) = self.services.timeline.write(&self.services.run_log.goals()) {
            self.ui.warn(&format!("there is no timeline of this run: {}", error_chain(&error)));
        }
        if let Err(error) = self.services.run_log.close(exit_code, self.services.was_interrupted()) {
            self.warn_unrecorded(&error);
        }
    }

    fn warn_unrecorded(&self, error: &crate::store::Error) {
        self.ui.warn(&format!("this run is not recorded for `log` and `why`: {}", error_chain(error)));
    }

    /// The exit code of the process if this is its last goal: errors in the repository are never a success.
    pub fn exit_code(&self, verdict: Verdict) -> u8 {
        match verdict {
            Verdict::Good if self.repository.has_errors => ExitCode::Failure.number(),
            verdict => verdict.exit_code(),
        }
    }
}
