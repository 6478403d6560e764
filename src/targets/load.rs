//! Loads a repository: evaluates its BUILD files and builds the graph of all targets. Errors are collected, and
//! everything else is loaded. Which files are BUILD files is decided in `build_files`, expansion to targets is in
//! `generate`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::interpret::EvaluationRequest;
use crate::build_file::{BuildFile, Diagnostic, TargetDecl, Topic, Value};
use crate::config::Config;
use crate::config::typed::UnknownNames;
use crate::targets::build_files;
use crate::targets::consolidate::consolidate;
use crate::targets::defaults::Defaults;
use crate::targets::generate::{GenerateContext, Generation, lockfile_target_name};
use crate::targets::globs::GlobCache;
use crate::targets::graph::Rules;
use crate::targets::settings::LoadSettings;
use crate::targets::visibility::Visibility;
use crate::targets::{Address, DirectoryCache, Files, Target, TargetGraph};
use crate::tracked::Tracker;

/// The kind of unknown name that is an error in CI.
const TARGET_TYPE: &str = "target type";
const START: Place = Place { line: 1, column: 1 };

/// The result of loading a repository.
#[derive(Debug)]
pub struct Loaded {
    /// All targets that could be loaded.
    pub graph: TargetGraph,
    /// Warnings, and errors about no single file, sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
    /// Errors in files, in the same order. Some targets of these files are missing from the graph.
    pub errors: Vec<LoadError>,
    /// BUILD files that only real Python can evaluate, if any. Their targets are missing from the graph.
    pub python_request: Option<EvaluationRequest>,
}

/// An error in a file, and the directories whose targets it may affect.
#[derive(Clone, Debug)]
pub struct LoadError {
    /// The error itself.
    pub diagnostic: Diagnostic,
    /// The directories of the BUILD files whose evaluation failed, and whether subdirectories may inherit defaults or
    /// rules from those files. An error in a prelude concerns every BUILD file that uses it.
    dirs: BTreeMap<RelPath, bool>,
}

impl LoadError {
    /// Whether this error may have changed which targets the directory declares.
    pub fn affects(&self, dir: &RelPath) -> bool {
        self.dirs.iter().any(|(own, below)| own == dir || *below && dir.starts_with(own))
    }

    /// The directories of the BUILD files whose evaluation failed.
    pub fn dirs(&self) -> impl Iterator<Item = &RelPath> {
        self.dirs.keys()
    }
}

/// Everything outside the repository's files that loading uses.
pub struct LoadContext<'w> {
    /// Looks up an environment variable, for `env("NAME")` in BUILD files.
    pub env: &'w (dyn Fn(&str) -> Option<String> + Sync),
    /// BUILD files that real Python has evaluated.
    pub python_results: &'w BTreeMap<RelPath, BuildFile>,
    /// The cache of directory listings.
    pub directory_cache: &'w dyn DirectoryCache,
    /// The texts of BUILD files that do not exist, by the path that they would have.
    pub implied_files: &'w BTreeMap<RelPath, String>,
    /// Whether a CI service runs this: unknown target types are errors.
    pub is_ci: bool,
    /// Records the files that loading reads.
    pub tracker: Tracker,
}

impl<'w> LoadContext<'w> {
    /// A context without results of Python and without a directory cache.
    pub fn new(env: &'w (dyn Fn(&str) -> Option<String> + Sync)) -> LoadContext<'w> {
        static NO_RESULTS: BTreeMap<RelPath, BuildFile> = BTreeMap::new();
        static NO_FILES: BTreeMap<RelPath, String> = BTreeMap::new();
        LoadContext {
            env,
            python_results: &NO_RESULTS,
            directory_cache: &(),
            implied_files: &NO_FILES,
            is_ci: false,
            tracker: Tracker::default(),
        }
    }
}

impl Loaded {
    /// All errors and warnings.
    pub fn all_diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().chain(self.errors.iter().map(|error| &error.diagnostic))
    }
}

/// Loads the repository at `root`. Errors are part of the result.
pub fn load(root: &Path, config: &Config, context: &LoadContext) -> Loaded {
    let settings = LoadSettings::from_config(config, root);
    let files = match Files::walk(
        root,
        &settings.pants_ignore,
        settings.use_gitignore,
        context.directory_cache,
        &context.tracker,
    ) {
        Ok(files) => files,
        Err(error) => {
            let diagnostics = vec![Diagnostic::error(&RelPath::root(), START, with_cause(&error))];
            return Loaded { graph: TargetGraph::default(), diagnostics, errors: Vec::new(), python_request: None };
        }
    };
    let mut diagnostics = Vec::new();
    let skip_warning = |what: &String| Diagnostic::warning(&RelPath::root(), START, format!("skipped {what}"));
    diagnostics.extend(files.skipped_entries.iter().map(skip_warning));
    let read = build_files::evaluate_all(root, &files, &settings, context, &mut diagnostics);
    let evaluating_dirs = evaluating_dirs(&read.files);
    let mut graph = TargetGraph::from_files(files);
    graph.set_default_resolve(&settings.default_resolve);
    let dirs = group_by_dir(read.files, &mut graph, &mut diagnostics);
    if settings.visibility {
        graph.set_visibility(visibility(&graph, &mut diagnostics));
    }
    let globs = GlobCache::default();
    let generate_context =
        GenerateContext { root, tracker: &context.tracker, files: graph.files(), settings: &settings, globs: &globs };
    let results: Vec<(Vec<Target>, Vec<Diagnostic>)> =
        dirs.par_iter().map(|dir| dir.targets(&generate_context)).collect();
    let mut targets = lockfile_targets(&generate_context, &mut diagnostics);
    for (more, found) in results {
        targets.extend(more);
        diagnostics.extend(found);
    }
    graph.insert_all(targets);
    let is_of_a_file = |found: &Diagnostic| found.is_error() && !found.file.is_root();
    let is_unknown_an_error = |what: &str| match settings.unknown {
        UnknownNames::Error => true,
        UnknownNames::Warn => false,
        UnknownNames::Auto => context.is_ci && what == TARGET_TYPE,
    };
    let (errors, diagnostics) = consolidate(diagnostics, is_unknown_an_error).into_iter().partition(is_of_a_file);
    let errors: Vec<Diagnostic> = errors;
    let errors = errors.into_iter().map(|diagnostic| {
        let own = || BTreeMap::from([(diagnostic.file.parent().unwrap_or_default(), false)]);
        let dirs = evaluating_dirs.get(&error_position(&diagnostic)).cloned().unwrap_or_else(own);
        LoadError { diagnostic, dirs }
    });
    Loaded { graph, diagnostics, errors: errors.collect(), python_request: read.python_request }
}

type ErrorPosition = (RelPath, usize, usize);

fn error_position(found: &Diagnostic) -> ErrorPosition {
    (found.file.clone(), found.place.line, found.place.column)
}

/// For each position of an error, the directories of the BUILD files whose evaluation reported it.
fn evaluating_dirs(files: &[(RelPath, BuildFile)]) -> BTreeMap<ErrorPosition, BTreeMap<RelPath, bool>> {
    let mut evaluating_dirs: BTreeMap<ErrorPosition, BTreeMap<RelPath, bool>> = BTreeMap::new();
    for (path, file) in files {
        for found in file.diagnostics.iter().filter(|found| found.is_error()) {
            let dirs = evaluating_dirs.entry(error_position(found)).or_default();
            *dirs.entry(path.parent().unwrap_or_default()).or_default() |= file.affects_subdirectories;
        }
    }
    evaluating_dirs
}

/// The declarations in all BUILD files of one directory.
struct Dir {
    dir: RelPath,
    /// Each with its BUILD file and the defaults that were set before it.
    decls: Vec<(RelPath, Arc<Defaults>, TargetDecl)>,
    /// The defaults after all calls in all files of the directory.
    defaults: Arc<Defaults>,
}

/// Groups BUILD files by directory and applies `__defaults__`, which subdirectories inherit. Moves diagnostics and
/// visibility rules to `diagnostics` and `graph`.
fn group_by_dir(
    evaluated: Vec<(RelPath, BuildFile)>,
    graph: &mut TargetGraph,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Dir> {
    let mut files: BTreeMap<RelPath, Vec<(RelPath, BuildFile)>> = BTreeMap::new();
    for (path, mut file) in evaluated {
        diagnostics.append(&mut file.diagnostics);
        let (dependencies, dependents) =
            (std::mem::take(&mut file.dependencies_rules), std::mem::take(&mut file.dependents_rules));
        graph.insert_build_file(path.clone(), Rules { dependencies, dependents });
        files.entry(path.parent().unwrap_or_default()).or_default().push((path, file));
    }
    // In sorted order, every directory comes after its ancestors.
    let mut inherited: BTreeMap<RelPath, Arc<Defaults>> = BTreeMap::new();
    let mut dirs = Vec::with_capacity(files.len());
    for (dir, files) in files {
        let above = dir.ancestors().find_map(|above| inherited.get(&above));
        let mut defaults = above.cloned().unwrap_or_default();
        let mut decls = Vec::new();
        for (path, file) in files {
            let mut after = vec![defaults.clone()];
            for call in &file.defaults {
                let mut next = Defaults::clone(&defaults);
                next.apply(call, &path, diagnostics);
                defaults = Arc::new(next);
                after.push(defaults.clone());
            }
            let before = |decl: &TargetDecl| after.get(decl.defaults_before).unwrap_or(&defaults).clone();
            decls.extend(file.targets.into_iter().map(|decl| (path.clone(), before(&decl), decl)));
        }
        inherited.insert(dir.clone(), defaults.clone());
        dirs.push(Dir { decls, dir, defaults });
    }
    dirs
}

fn visibility(graph: &TargetGraph, diagnostics: &mut Vec<Diagnostic>) -> Visibility {
    let mut dirs: BTreeMap<RelPath, Vec<(&RelPath, &Rules)>> = BTreeMap::new();
    for (file, rules) in graph.build_files() {
        dirs.entry(file.parent().unwrap_or_default()).or_default().push((file, rules));
    }
    let mut visibility = Visibility::enabled();
    for (dir, files) in dirs {
        diagnostics.extend(visibility.declare(&dir, files));
    }
    visibility
}

impl Dir {
    fn targets(&self, context: &GenerateContext) -> (Vec<Target>, Vec<Diagnostic>) {
        let (mut targets, mut diagnostics) = (Vec::new(), Vec::new());
        let mut declared: BTreeMap<&str, (&RelPath, Place)> = BTreeMap::new();
        for (path, defaults, decl) in &self.decls {
            let Some(name) = self.name(path, decl, &mut diagnostics) else { continue };
            if let Some((other, place)) = declared.get(name) {
                let message = format!("a target named `{name}` is also declared at {other}:{place}");
                diagnostics.push(Diagnostic::error(path, decl.place, message).hint("give one of them another `name`"));
                continue;
            }
            declared.insert(name, (path, decl.place));
            let address = Address::new(&self.dir, name);
            let generation = Generation::run(context, [defaults, &self.defaults], path, decl, &address);
            targets.extend(generation.targets);
            diagnostics.extend(generation.diagnostics);
        }
        (targets, diagnostics)
    }

    fn name<'d>(&'d self, path: &RelPath, decl: &'d TargetDecl, diagnostics: &mut Vec<Diagnostic>) -> Option<&'d str> {
        let Some(name) = decl.name.as_deref().or_else(|| Address::default_name(&self.dir)) else {
            let message = format!("a `{}` in the root directory has no name", decl.kind);
            diagnostics.push(Diagnostic::error(path, decl.place, message).hint("set `name=\"…\"`"));
            return None;
        };
        if name.is_empty() || name.contains([':', '#', '!', '@', '?', '/', '\\', '=']) {
            let message = format!("invalid target name `{name}`");
            let hint = "target names must not be empty or contain `: # ! @ ? / \\ =`";
            diagnostics.push(Diagnostic::error(path, decl.place, message).hint(hint));
            return None;
        }
        Some(name)
    }
}

/// One target for each resolve and one for its lockfile, as Pants generates them.
fn lockfile_targets(context: &GenerateContext, diagnostics: &mut Vec<Diagnostic>) -> Vec<Target> {
    let mut targets = Vec::new();
    for (resolve, lockfile) in context.settings.resolves.iter().filter(|_| context.settings.lockfile_targets) {
        let Ok(path) = RelPath::parse(lockfile) else { continue };
        let (Some(dir), Some(file)) = (path.parent(), path.file_name().and_then(|name| RelPath::parse(name).ok()))
        else {
            continue;
        };
        let address = Address::new(&dir, &lockfile_target_name(resolve));
        let exists = context.files.contains(&path);
        if !exists {
            let message = format!("the resolve `{resolve}` has no lockfile: `{lockfile}` does not exist");
            let warning = Diagnostic::warning(&RelPath::root(), START, message);
            let warning = Diagnostic { topic: Topic::NoLockfile, ..warning };
            diagnostics.push(warning.hint(format!("create it: `generate-lockfiles --resolve={resolve}`")));
        }
        // A BUILD file that does not exist; Pants prints this name.
        let Ok(build_file) = dir.push("BUILD.python-lockfiles") else { continue };
        let source = Value::Str(file.to_string());
        let target = |address: &Address, kind: &str, field: (&str, Value), generator: Option<&Address>| Target {
            address: address.clone(),
            kind: kind.to_owned(),
            fields: BTreeMap::from([(field.0.to_owned(), field.1)]),
            sources: if exists { vec![path.clone()] } else { Vec::new() },
            generator: generator.cloned(),
            build_file: build_file.clone(),
            place: START,
        };
        targets.push(target(&address, "_lockfiles", ("sources", Value::List(vec![source.clone()])), None));
        if exists {
            targets.push(target(&address.with_file(file), "_lockfile", ("source", source), Some(&address)));
        }
    }
    targets
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
