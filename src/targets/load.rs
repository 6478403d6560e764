//! Reads a repository: BUILD files to the graph of all targets. What is broken is reported and left out; the rest loads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::interpret::Question;
use crate::build_file::{BuildFile, Diagnostic, TargetDecl, Value};
use crate::config::Config;
use crate::targets::collected::collected;
use crate::targets::defaults::Defaults;
use crate::targets::files::Memory;
use crate::targets::generate::{Generation, Surroundings, lockfile_target_name};
use crate::targets::globs::GlobCache;
use crate::targets::graph::Rules;
use crate::targets::reading;
use crate::targets::settings::Settings;
use crate::targets::visibility::Visibility;
use crate::targets::{Address, Files, Target, TargetGraph};
use crate::tracked::Tracker;

const START: Place = Place { line: 1, column: 1 };

/// What loading made of a repository.
#[derive(Debug)]
pub struct Loaded {
    pub graph: TargetGraph,
    /// Warnings, and mistakes of no single file, sorted by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// Mistakes in files, sorted likewise. What they declare is missing from the graph in part.
    pub broken: Vec<Broken>,
    /// What only real Python can evaluate; the graph lacks it.
    pub question: Option<Question>,
}

/// A mistake in a file, and how far it reaches.
#[derive(Clone, Debug)]
pub struct Broken {
    pub diagnostic: Diagnostic,
    /// The directories whose BUILD files met it, and whether those files may hand down defaults or rules to what is
    /// below. A mistake in a prelude is met by whoever uses it.
    dirs: BTreeMap<RelPath, bool>,
}

impl Broken {
    /// Whether the targets of a directory may be others than they should.
    pub fn touches(&self, dir: &RelPath) -> bool {
        self.dirs.iter().any(|(own, below)| own == dir || *below && dir.starts_with(own))
    }

    /// The directories whose BUILD files met it.
    pub fn dirs(&self) -> impl Iterator<Item = &RelPath> {
        self.dirs.keys()
    }
}

/// What the world around a repository is asked for.
pub struct World<'w> {
    /// Answers `env("NAME")` in BUILD files.
    pub env: &'w (dyn Fn(&str) -> Option<String> + Sync),
    /// What real Python made of BUILD files.
    pub answers: &'w BTreeMap<RelPath, BuildFile>,
    /// What is remembered of directories.
    pub memory: &'w dyn Memory,
    /// Records the files that loading reads.
    pub tracker: Tracker,
}

impl<'w> World<'w> {
    /// Python was not asked anything yet, and nothing is remembered.
    pub fn with(env: &'w (dyn Fn(&str) -> Option<String> + Sync)) -> World<'w> {
        static NOTHING: BTreeMap<RelPath, BuildFile> = BTreeMap::new();
        World { env, answers: &NOTHING, memory: &(), tracker: Tracker::default() }
    }
}

impl Loaded {
    /// All that is wrong, wherever.
    pub fn all_diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().chain(self.broken.iter().map(|broken| &broken.diagnostic))
    }
}

pub fn load(root: &Path, config: &Config, world: &World) -> Loaded {
    let settings = Settings::of(config, root);
    let files = match Files::walk(root, &settings.pants_ignore, settings.use_gitignore, world.memory, &world.tracker) {
        Ok(files) => files,
        Err(error) => {
            let diagnostics = vec![Diagnostic::error(&RelPath::root(), START, with_cause(&error))];
            return Loaded { graph: TargetGraph::default(), diagnostics, broken: Vec::new(), question: None };
        }
    };
    let mut diagnostics = Vec::new();
    let passed_over = |what: &String| Diagnostic::warning(&RelPath::root(), START, format!("passed over {what}"));
    diagnostics.extend(files.passed_over.iter().map(passed_over));
    let read = reading::read_all(root, &files, &settings, world, &mut diagnostics);
    let met = met(&read.files);
    let mut graph = TargetGraph::over(files);
    graph.set_default_resolve(&settings.default_resolve);
    let dirs = by_dir(read.files, &mut graph, &mut diagnostics);
    if settings.visibility {
        graph.set_visibility(visibility(&graph, &mut diagnostics));
    }
    let globs = GlobCache::default();
    let surroundings =
        Surroundings { root, tracker: &world.tracker, files: graph.files(), settings: &settings, globs: &globs };
    let results: Vec<(Vec<Target>, Vec<Diagnostic>)> = dirs.par_iter().map(|dir| dir.targets(&surroundings)).collect();
    let mut targets = lockfile_targets(&surroundings, &mut diagnostics);
    for (more, found) in results {
        targets.extend(more);
        diagnostics.extend(found);
    }
    graph.fill(targets);
    let is_of_a_file = |found: &Diagnostic| found.is_error() && !found.file.is_root();
    let (broken, diagnostics) = collected(diagnostics, settings.unknown).into_iter().partition(is_of_a_file);
    let broken: Vec<Diagnostic> = broken;
    let broken = broken.into_iter().map(|diagnostic| {
        let own = || BTreeMap::from([(diagnostic.file.parent().unwrap_or_default(), false)]);
        let dirs = met.get(&at(&diagnostic)).cloned().unwrap_or_else(own);
        Broken { diagnostic, dirs }
    });
    Loaded { graph, diagnostics, broken: broken.collect(), question: read.question }
}

type At = (RelPath, usize, usize);

fn at(found: &Diagnostic) -> At {
    (found.file.clone(), found.place.line, found.place.column)
}

/// Where evaluation failed, the directories of the BUILD files that were evaluated.
fn met(files: &[(RelPath, BuildFile)]) -> BTreeMap<At, BTreeMap<RelPath, bool>> {
    let mut met: BTreeMap<At, BTreeMap<RelPath, bool>> = BTreeMap::new();
    for (path, file) in files {
        for found in file.diagnostics.iter().filter(|found| found.is_error()) {
            let dirs = met.entry(at(found)).or_default();
            *dirs.entry(path.parent().unwrap_or_default()).or_default() |= file.is_inherited;
        }
    }
    met
}

/// What one directory declares, in all its BUILD files.
struct Dir {
    dir: RelPath,
    /// Each with the defaults that were set before it.
    decls: Vec<(RelPath, Arc<Defaults>, TargetDecl)>,
    /// After all calls, also of the other files.
    defaults: Arc<Defaults>,
}

/// Gathers the files of each directory and hands `__defaults__` down. Takes what is not about targets.
fn by_dir(
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
    // Sorted by directory: the nearest one above, if any, has been seen before.
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
    let mut visibility = Visibility::in_use();
    for (dir, files) in dirs {
        diagnostics.extend(visibility.declare(&dir, files));
    }
    visibility
}

impl Dir {
    fn targets(&self, world: &Surroundings) -> (Vec<Target>, Vec<Diagnostic>) {
        let (mut targets, mut diagnostics) = (Vec::new(), Vec::new());
        let mut taken: BTreeMap<&str, (&RelPath, Place)> = BTreeMap::new();
        for (path, defaults, decl) in &self.decls {
            let Some(name) = self.name(path, decl, &mut diagnostics) else { continue };
            if let Some((other, place)) = taken.get(name) {
                let message = format!("a target named `{name}` is also declared at {other}:{place}");
                diagnostics.push(Diagnostic::error(path, decl.place, message).hint("give one of them another `name`"));
                continue;
            }
            taken.insert(name, (path, decl.place));
            let address = Address::of(&self.dir, name);
            let generation = Generation::of(world, [defaults, &self.defaults], path, decl, &address);
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
            let message = format!("`{name}` cannot be the name of a target");
            let hint = "names are not empty and hold none of `: # ! @ ? / \\ =`";
            diagnostics.push(Diagnostic::error(path, decl.place, message).hint(hint));
            return None;
        }
        Some(name)
    }
}

/// One target for each resolve and one for its lockfile, as Pants makes them.
fn lockfile_targets(world: &Surroundings, diagnostics: &mut Vec<Diagnostic>) -> Vec<Target> {
    let mut targets = Vec::new();
    for (resolve, lockfile) in world.settings.resolves.iter().filter(|_| world.settings.lockfile_targets) {
        let Ok(path) = RelPath::parse(lockfile) else { continue };
        let (Some(dir), Some(file)) = (path.parent(), path.file_name().and_then(|name| RelPath::parse(name).ok()))
        else {
            continue;
        };
        let address = Address::of(&dir, &lockfile_target_name(resolve));
        let exists = world.files.contains(&path);
        if !exists {
            let message = format!("there is no lockfile `{lockfile}` for the resolve `{resolve}`");
            let warning = Diagnostic::warning(&RelPath::root(), START, message);
            diagnostics.push(warning.hint(format!("make it: `generate-lockfiles --resolve={resolve}`")));
        }
        // The name of a BUILD file that does not exist, as Pants prints it.
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
