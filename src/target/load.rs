//! Reads a repository: BUILD files to the graph of all targets. What is broken is reported and left out; the rest loads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::base::text::Place;
use crate::build_file::{self, BuildFile, Context, Diagnostic, Source, TargetDecl, Value};
use crate::config::Config;
use crate::target::defaults::Defaults;
use crate::target::generate::{Generation, World, lockfile_target_name};
use crate::target::globs::GlobCache;
use crate::target::graph::Rules;
use crate::target::kind::{self, Kind};
use crate::target::settings::Settings;
use crate::target::{Address, Files, Target, TargetGraph};

const START: Place = Place { line: 1, column: 1 };

/// `env` answers `env("NAME")` in BUILD files. Diagnostics are sorted by file and place.
pub fn load(
    root: &Path,
    config: &Config,
    env: &(dyn Fn(&str) -> Option<String> + Sync),
) -> (TargetGraph, Vec<Diagnostic>) {
    let settings = Settings::of(config, root);
    let files = match Files::walk(root, &settings.pants_ignore, settings.use_gitignore) {
        Ok(files) => files,
        Err(error) => {
            let diagnostic = Diagnostic::error(&RelPath::root(), START, with_cause(&error));
            return (TargetGraph::default(), vec![diagnostic]);
        }
    };
    let mut diagnostics = Vec::new();
    let passed_over = |what: &String| Diagnostic::warning(&RelPath::root(), START, format!("passed over {what}"));
    diagnostics.extend(files.passed_over.iter().map(passed_over));
    let paths = build_files(root, &files, &settings, &mut diagnostics);
    let preludes = preludes(root, &files, &settings, &mut diagnostics);
    let evaluated: Vec<(RelPath, BuildFile)> =
        paths.into_par_iter().map(|path| evaluate(root, path, &preludes, env)).collect();
    let mut graph = TargetGraph::over(files);
    graph.set_default_resolve(&settings.default_resolve);
    let dirs = by_dir(evaluated, &mut graph, &mut diagnostics);
    let globs = GlobCache::default();
    let world = World { root, files: graph.files(), settings: &settings, globs: &globs };
    let results: Vec<(Vec<Target>, Vec<Diagnostic>)> = dirs.par_iter().map(|dir| dir.targets(&world)).collect();
    let mut targets = lockfile_targets(&world, &mut diagnostics);
    for (more, found) in results {
        targets.extend(more);
        diagnostics.extend(found);
    }
    graph.fill(targets);
    diagnostics.sort_by(|left, right| by_place(left).cmp(&by_place(right)));
    // Each BUILD file evaluates the preludes anew, and says again what is wrong with them.
    diagnostics.dedup();
    (graph, collected(diagnostics))
}

fn by_place(diagnostic: &Diagnostic) -> (&RelPath, usize, usize, &str) {
    (&diagnostic.file, diagnostic.place.line, diagnostic.place.column, &diagnostic.message)
}

/// Of warnings that say the same, the first: a plugin's target type may stand in a hundred files.
fn collected(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut kept: Vec<Diagnostic> = Vec::new();
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for diagnostic in diagnostics {
        match seen.get_mut(&diagnostic.message).filter(|_| !diagnostic.is_error()) {
            Some((_, more)) => *more += 1,
            None => {
                seen.insert(diagnostic.message.clone(), (kept.len(), 0));
                kept.push(diagnostic);
            }
        }
    }
    for (index, more) in seen.into_values().filter(|(_, more)| *more > 0) {
        let message = &mut kept[index].message;
        message.push_str(&format!("; {more} more like it"));
    }
    kept
}

fn build_files(root: &Path, files: &Files, settings: &Settings, diagnostics: &mut Vec<Diagnostic>) -> Vec<RelPath> {
    let patterns = Globs::compile(settings.build_patterns.iter().map(String::as_str));
    let patterns = patterns.unwrap_or_else(|error| {
        diagnostics.push(Diagnostic::error(&RelPath::root(), START, format!("`build_patterns`: {error}")));
        Globs::default()
    });
    let ignored = ignored(root, &settings.build_ignore);
    // A pattern without a slash is one for names, as in .gitignore.
    let by_path = settings.build_patterns.iter().any(|pattern| pattern.contains('/'));
    let is_build = |file: &&RelPath| {
        let name = file.as_str().rsplit('/').next().unwrap_or_default();
        patterns.matches(name) || (by_path && patterns.matches(file.as_str()))
    };
    let wanted = |file: &&RelPath| !ignored.matched_path_or_any_parents(file.as_str(), false).is_ignore();
    files.iter().filter(is_build).filter(wanted).cloned().collect()
}

fn ignored(root: &Path, patterns: &[String]) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    for pattern in patterns {
        // A pattern that git cannot read ignores nothing, as in a .gitignore.
        drop(builder.add_line(None, pattern));
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn preludes(root: &Path, files: &Files, settings: &Settings, diagnostics: &mut Vec<Diagnostic>) -> Vec<Source> {
    let globs = match Globs::compile(settings.prelude_globs.iter().map(String::as_str)) {
        Ok(globs) => globs,
        Err(error) => {
            let message = format!("`build_file_prelude_globs`: {error}");
            diagnostics.push(Diagnostic::error(&RelPath::root(), START, message));
            return Vec::new();
        }
    };
    let mut preludes = Vec::new();
    for file in files.matching(&RelPath::root(), &globs) {
        match read(root, &file) {
            Ok(source) => preludes.push(source),
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    preludes
}

fn read(root: &Path, file: &RelPath) -> Result<Source, Box<Diagnostic>> {
    let refuse = |why: String| Box::new(Diagnostic::error(file, START, format!("cannot read the file: {why}")));
    let path = file.to_path(root);
    let size_bytes = fs::metadata(&path).map_err(|error| refuse(error.to_string()))?.len();
    if size_bytes > build_file::MAX_BYTES as u64 {
        return Err(refuse(format!("it has {size_bytes} bytes, more than {} are not read", build_file::MAX_BYTES)));
    }
    let bytes = fs::read(&path).map_err(|error| refuse(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| refuse(error.to_string()))?;
    Source::parse(file, text)
}

fn evaluate(
    root: &Path,
    path: RelPath,
    preludes: &[Source],
    env: &(dyn Fn(&str) -> Option<String> + Sync),
) -> (RelPath, BuildFile) {
    let source = match read(root, &path) {
        Ok(source) => source,
        Err(diagnostic) => {
            let broken = BuildFile { diagnostics: vec![*diagnostic], ..BuildFile::default() };
            return (path, broken);
        }
    };
    let open = |name: &str| {
        let file = RelPath::parse(name).map_err(|error| error.to_string())?;
        fs::read_to_string(file.to_path(root)).map_err(|error| error.to_string())
    };
    let context = Context {
        dir: &path.parent().unwrap_or_default(),
        kinds: &|name| Kind::of(name).is_some(),
        nearest_kind: &kind::nearest,
        env,
        open: &open,
    };
    let evaluated = build_file::evaluate(&source, preludes, &context);
    (path, evaluated)
}

/// What one directory declares, in all its BUILD files.
struct Dir {
    dir: RelPath,
    decls: Vec<(RelPath, TargetDecl)>,
    defaults: Defaults,
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
    let mut inherited: BTreeMap<RelPath, Defaults> = BTreeMap::new();
    let mut dirs = Vec::with_capacity(files.len());
    for (dir, files) in files {
        let above = dir.ancestors().find_map(|above| inherited.get(&above));
        let mut defaults = above.cloned().unwrap_or_default();
        for (path, file) in &files {
            file.defaults.iter().for_each(|call| defaults.apply(call, path, diagnostics));
        }
        inherited.insert(dir.clone(), defaults.clone());
        let decls = files.into_iter().flat_map(|(path, file)| file.targets.into_iter().map(move |d| (path.clone(), d)));
        dirs.push(Dir { decls: decls.collect(), dir, defaults });
    }
    dirs
}

impl Dir {
    fn targets(&self, world: &World) -> (Vec<Target>, Vec<Diagnostic>) {
        let (mut targets, mut diagnostics) = (Vec::new(), Vec::new());
        let mut taken: BTreeMap<&str, (&RelPath, Place)> = BTreeMap::new();
        for (path, decl) in &self.decls {
            let Some(name) = self.name(path, decl, &mut diagnostics) else { continue };
            if let Some((other, place)) = taken.get(name) {
                let message = format!("a target named `{name}` is also declared at {other}:{place}");
                diagnostics.push(Diagnostic::error(path, decl.place, message).hint("give one of them another `name`"));
                continue;
            }
            taken.insert(name, (path, decl.place));
            let address = Address::of(&self.dir, name);
            let generation = Generation::of(world, &self.defaults, path, decl, &address);
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
fn lockfile_targets(world: &World, diagnostics: &mut Vec<Diagnostic>) -> Vec<Target> {
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
