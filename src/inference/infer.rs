//! Every target's dependencies: written, generated, and read off its sources. Reading files is the caller's; here
//! everything is looked up in memory.

mod definitions;
mod entry_points;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::inference::ancestor_files::{AncestorFiles, ancestor_files};
use crate::inference::definition::Language;
use crate::inference::definitions::Definitions;
use crate::inference::dependencies::{Dependencies, Edges};
use crate::inference::entry_point;
use crate::inference::explicit::explicit;
use crate::inference::images::{self, Packages};
use crate::inference::imports::{Import, ImportKind, Imports};
use crate::inference::module_map::{Home, ModuleMap, is_python_source, resolve_of};
use crate::inference::numbered::{Number, Numbered};
use crate::inference::owners::{Owners, owners};
use crate::inference::settings::{InitFiles, Settings, Unowned};
use crate::inference::source_root::SourceRoots;
use crate::inference::sourced::sourced;
use crate::inference::stdlib::is_stdlib;
use crate::targets::kind;
use crate::targets::{Address, Diagnostic, Severity, Target, TargetGraph, dependencies};

/// What each of some files imports.
pub type ByFile = HashMap<RelPath, Arc<Imports>>;

/// What inference looks at, with the error of its readers.
pub struct Input<'a, E> {
    pub graph: &'a TargetGraph,
    pub roots: &'a SourceRoots,
    pub settings: &'a Settings,
    /// Of many files at once, from an index or by reading them; without those that cannot be read.
    pub imports: &'a (dyn Fn(&[RelPath]) -> Result<ByFile, E> + Sync),
    /// The text of a Dockerfile, a shell script or an interface definition.
    pub texts: &'a (dyn Fn(&RelPath) -> Option<String> + Sync),
}

/// Whose dependencies are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Extent<'a> {
    Everything,
    /// Of these targets, and of all that they need.
    From(&'a BTreeSet<Address>),
}

pub fn infer<E: Send>(input: &Input<'_, E>, extent: Extent<'_>) -> Result<Dependencies, E> {
    let targets = Numbered::new(input.graph);
    let mut left: Vec<Number> = match extent {
        Extent::Everything => targets.iter().map(|(number, _)| number).collect(),
        Extent::From(roots) => roots.iter().filter_map(|root| targets.number(root)).collect(),
    };
    let inits = inits_to_read(input.settings, &targets);
    let first = sorted(sources(&targets, &left).chain(inits).collect());
    let definitions = Definitions::read(&targets, input.roots, input.texts);
    let map = || ModuleMap::new(&targets, input.settings, input.roots, &definitions);
    // Reading files and going through all targets take about the same time.
    let (imports, map) = rayon::join(|| (input.imports)(&first), map);
    let mut imports = imports?;
    let is_blank = |file: &RelPath| imports.get(file).is_some_and(|imports| imports.blank);
    let mut inference = Inference {
        map,
        ancestor_files: ancestor_files(&targets, input.settings.init_files, &is_blank),
        imports: HashMap::new(),
        extensions: extensions(&targets),
        assets: assets(input.settings, &targets),
        packages: Packages::of(&targets),
        definitions,
        targets,
        roots: input.roots,
        settings: input.settings,
        texts: input.texts,
    };
    // Step by step: all that the last step found to be needed is read together, and looked at together.
    let mut edges: Vec<Option<Edges>> = vec![None; inference.targets.len()];
    let mut doubts = Vec::new();
    while !left.is_empty() {
        inference.imports.extend(std::mem::take(&mut imports));
        let found: Vec<(Edges, Vec<Diagnostic>)> =
            left.par_iter().with_min_len(16).map(|number| inference.of(*number)).collect();
        let mut needed = Vec::new();
        for (number, (found, diagnostics)) in left.drain(..).zip(found) {
            needed.extend(found.direct.iter().chain(&found.special));
            doubts.extend(diagnostics.into_iter().map(|diagnostic| (number, diagnostic)));
            edges[number as usize] = Some(found);
        }
        left = sorted(needed).into_iter().filter(|number| edges[*number as usize].is_none()).collect();
        let unread = sources(&inference.targets, &left).filter(|file| !inference.imports.contains_key(file));
        let unread = sorted(unread.collect());
        if !unread.is_empty() {
            imports = (input.imports)(&unread)?;
        }
    }
    doubts.sort_by_key(|(number, _)| *number);
    let address = |number| inference.targets.get(number).address.clone();
    let doubts = doubts.into_iter().map(|(number, doubt)| (address(number), doubt)).collect();
    let addresses = inference.targets.iter().map(|(_, target)| target.address.clone()).collect();
    Ok(Dependencies::new(addresses, input.graph.positions().clone(), edges, doubts))
}

struct Inference<'a> {
    roots: &'a SourceRoots,
    settings: &'a Settings,
    texts: &'a (dyn Fn(&RelPath) -> Option<String> + Sync),
    targets: Numbered<'a>,
    map: ModuleMap,
    imports: ByFile,
    /// By folder.
    ancestor_files: FxHashMap<RelPath, AncestorFiles>,
    /// Stevedore namespace, to the entry points in it.
    extensions: FxHashMap<&'a str, Vec<String>>,
    /// Resources and files, by their one source.
    assets: FxHashMap<&'a RelPath, Vec<Number>>,
    packages: Packages,
    definitions: Definitions,
}

/// The Python files of these targets. By the target's type: a script may have no ending.
fn sources(targets: &Numbered<'_>, numbers: &[Number]) -> impl Iterator<Item = RelPath> {
    let targets = numbers.iter().map(|number| targets.get(*number));
    targets.filter(|target| is_python_source(target)).flat_map(|target| target.sources.iter().cloned())
}

/// Those whose being blank matters to everything below them.
fn inits_to_read(settings: &Settings, targets: &Numbered<'_>) -> Vec<RelPath> {
    if settings.init_files != InitFiles::ContentOnly {
        return Vec::new();
    }
    let sources = targets.iter().filter(|(_, target)| is_python_source(target)).flat_map(|(_, target)| &target.sources);
    sources.filter(|file| matches!(file.file_name(), Some("__init__.py" | "__init__.pyi"))).cloned().collect()
}

fn assets<'a>(settings: &Settings, targets: &Numbered<'a>) -> FxHashMap<&'a RelPath, Vec<Number>> {
    let mut assets: FxHashMap<&RelPath, Vec<Number>> = FxHashMap::default();
    if settings.assets {
        for (number, target) in
            targets.iter().filter(|(_, target)| matches!(target.kind.as_str(), kind::RESOURCE | kind::FILE))
        {
            target.sources.iter().for_each(|source| assets.entry(source).or_default().push(number));
        }
    }
    assets
}

fn extensions<'a>(targets: &Numbered<'a>) -> FxHashMap<&'a str, Vec<String>> {
    let mut extensions: FxHashMap<&str, Vec<String>> = FxHashMap::default();
    for (_, target) in targets.iter().filter(|(_, target)| target.kind == kind::PYTHON_DISTRIBUTION) {
        for (namespace, written) in entry_point::of_extension(target) {
            if !entry_point::is_address(&written) {
                extensions.entry(namespace).or_default().push(written);
            }
        }
    }
    extensions
}

/// One target's, while they are collected.
struct Found<'a> {
    target: &'a Target,
    resolve: &'a str,
    inferred: Vec<Number>,
    includes: Vec<Number>,
    excludes: Vec<Number>,
    diagnostics: Vec<Diagnostic>,
}

impl Found<'_> {
    /// `line`: in the target's source; else it is about the declaration.
    fn tell(&mut self, severity: Severity, line: Option<u32>, message: String, hint: Option<String>) {
        let source = self.target.sources.first().zip(line);
        let (file, place) = match source {
            Some((source, line)) => (source, Place { line: line as usize, column: 1 }),
            None => (&self.target.build_file, self.target.place),
        };
        let diagnostic = Diagnostic { severity, hint, ..Diagnostic::error(file, place, message) };
        self.diagnostics.push(diagnostic);
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

impl<'a> Inference<'a> {
    fn of(&self, number: Number) -> (Edges, Vec<Diagnostic>) {
        let target = self.targets.get(number);
        let generated = self.targets.generated_by(number);
        if !generated.is_empty() {
            return (Edges { direct: generated.to_vec(), ..Edges::default() }, Vec::new());
        }
        let resolve = resolve_of(target, self.settings);
        let explicit = explicit(&self.targets, target, self.settings);
        let mut found = Found {
            target,
            resolve,
            inferred: Vec::new(),
            includes: explicit.includes,
            excludes: explicit.excludes,
            diagnostics: Vec::new(),
        };
        for error in explicit.errors {
            found.tell(Severity::Error, None, chain(&error), error.hint().map(str::to_owned));
        }
        self.implied(&mut found, number);
        // A file that imports its own names depends on itself, as in Pants.
        let plugins = &self.settings.plugins;
        let done_without = |number: &&Number| plugins.excludes(target, &self.targets.get(**number).address);
        found.excludes.extend(found.inferred.iter().filter(done_without).copied().collect::<Vec<_>>());
        let Found { inferred, includes, excludes, diagnostics, .. } = found;
        let kept = |numbers: &[Number]| {
            let numbers = numbers.iter().chain(&inferred).copied();
            sorted(numbers.filter(|number| !excludes.contains(number)).collect())
        };
        let has_generators = explicit.named.iter().any(|number| !includes.contains(number));
        let edges = Edges {
            direct: kept(&includes),
            named: has_generators.then(|| kept(&explicit.named)),
            special: sorted(explicit.special),
            excluded: sorted(explicit.transitive_excludes),
        };
        (edges, diagnostics)
    }

    fn implied(&self, found: &mut Found<'a>, number: Number) {
        match found.target.kind.as_str() {
            kind::PEX_BINARY if self.settings.entry_points => self.of_start(found, "entry_point"),
            kind::PYTHON_AWSLAMBDA | kind::PYTHON_AWS_LAMBDA_FUNCTION | kind::PYTHON_GOOGLE_CLOUD_FUNCTION
                if self.settings.entry_points =>
            {
                self.of_start(found, "handler")
            }
            kind::PYTHON_DISTRIBUTION if self.settings.entry_points => self.of_distribution(found),
            kind::PLATFORM_RESOURCES => self.of_platform(found),
            kind::DOCKER_IMAGE => self.of_image(found),
            kind::SHELL_SOURCE | kind::SHUNIT2_TEST if self.settings.shell => self.of_script(found),
            _ if is_python_source(found.target) => {
                self.of_source(found);
                self.of_extensions(found);
            }
            _ => {
                if let Some(language) = Language::of(found.target) {
                    self.of_definition(found, number, language);
                }
            }
        }
    }

    fn of_source(&self, found: &mut Found<'a>) {
        for source in &found.target.sources {
            let Some(dir) = source.parent() else { continue };
            if let Some(imports) = self.imports.get(source) {
                self.of_imports(found, source, &dir, imports);
            }
            self.of_ancestor_files(found, source, &dir);
        }
    }

    fn of_imports(&self, found: &mut Found<'a>, source: &RelPath, dir: &RelPath, imports: &Imports) {
        if imports.unread {
            let message = format!("`{source}` is too large or too deeply nested to look for imports in it");
            found.tell(Severity::Warning, None, message, None);
        }
        let home = self.map.home(dir);
        let mut unowned = Vec::new();
        for import in &imports.found {
            match import.kind {
                ImportKind::Asset => self.of_asset(found, dir, import),
                _ if !self.is_wanted(import) => {}
                _ => {
                    let module = import.absolute(home.map_or("", |home| &home.package));
                    if !self.of_module(found, home, &module, import) {
                        unowned.push((import.line, module.into_owned()));
                    }
                }
            }
        }
        unowned.sort();
        self.tell_unowned(found, &unowned);
    }

    fn is_wanted(&self, import: &Import) -> bool {
        let settings = self.settings;
        if import.kind == ImportKind::Import {
            return settings.imports;
        }
        settings.string_imports
            && import.module.matches('.').count() >= settings.string_imports_min_dots
            && !settings.string_import_ignore.is_match(&import.module)
    }

    /// False: nobody owns the module, and that is worth telling.
    fn of_module(&self, found: &mut Found<'a>, home: Option<&Home>, module: &str, import: &Import) -> bool {
        let near = home.map(|home| &home.source_root).filter(|_| self.settings.by_source_root);
        let mut candidates = match owners(&self.targets, &self.map, module, Some(found.resolve), near) {
            Owners::Known(owners) => {
                found.inferred.extend(owners);
                return true;
            }
            Owners::Ambiguous(candidates) => candidates,
            Owners::None => Vec::new(),
        };
        if !candidates.is_empty() {
            if candidates.iter().any(|candidate| found.includes.contains(candidate)) {
                return true;
            }
            candidates.retain(|candidate| !found.excludes.contains(candidate));
            if let [owner] = candidates[..] {
                found.inferred.push(owner);
                return true;
            }
            // Nobody is taken, so that where an unowned import is an error this is one too.
            let severity = self.unowned_severity().filter(|_| !self.is_dispensable(module, import));
            let severity = severity.unwrap_or(Severity::Warning);
            self.tell_ambiguous(found, severity, &format!("module `{module}`"), &candidates, Some(import.line));
            return true;
        }
        self.is_dispensable(module, import)
    }

    /// Is it no loss if nobody owns the module?
    fn is_dispensable(&self, module: &str, import: &Import) -> bool {
        let ignored = &self.settings.ignored_unowned;
        let is_below =
            |prefix: &String| module.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        import.weak || is_stdlib(module) || ignored.iter().any(is_below)
    }

    fn of_asset(&self, found: &mut Found<'a>, dir: &RelPath, import: &Import) {
        let settings = self.settings;
        if !settings.assets || import.module.matches('/').count() < settings.assets_min_slashes {
            return;
        }
        let Ok(path) = RelPath::parse(&import.module) else { return };
        let of_kind = |path: &RelPath, kind: &str| {
            let numbers = self.assets.get(path).into_iter().flatten().copied();
            numbers.filter(|number| self.targets.get(*number).kind == kind).collect::<Vec<_>>()
        };
        let mut candidates = of_kind(&dir.join(&path), kind::RESOURCE);
        candidates.extend(of_kind(&path, kind::FILE));
        self.take_one(found, candidates, &format!("asset `{path}`"), Some(import.line));
    }

    /// The only candidate, or the only one that is not excluded, unless one of several is written anyway.
    fn take_one(&self, found: &mut Found<'a>, mut candidates: Vec<Number>, what: &str, line: Option<u32>) {
        if candidates.len() > 1 {
            if candidates.iter().any(|candidate| found.includes.contains(candidate)) {
                return;
            }
            candidates.retain(|candidate| !found.excludes.contains(candidate));
        }
        match candidates[..] {
            [] => {}
            [owner] => found.inferred.push(owner),
            _ => self.tell_ambiguous(found, Severity::Warning, what, &candidates, line),
        }
    }

    fn of_ancestor_files(&self, found: &mut Found<'a>, source: &RelPath, dir: &RelPath) {
        let Some(above) = self.ancestor_files.get(dir) else { return };
        let shares = |owner: &Number| resolve_of(self.targets.get(*owner), self.settings) == found.resolve;
        if matches!(source.extension(), Some("py" | "pyi")) {
            let inits = above.inits.iter().filter(|owner| !self.targets.get(**owner).sources.contains(source));
            found.inferred.extend(inits.copied().filter(shares));
        }
        if found.target.kind != kind::PYTHON_TEST || !self.settings.conftests {
            return;
        }
        found.inferred.extend(above.conftests.iter().copied().filter(shares));
        for conftest in &above.unowned_conftests {
            let message = format!("`{conftest}` applies to `{source}`, but no target owns it");
            let hint = "declare `python_test_utils()` in the BUILD file beside it";
            found.tell(Severity::Error, None, message, Some(hint.to_owned()));
        }
    }

    fn of_platform(&self, found: &mut Found<'a>) {
        let Some(written) = self.settings.plugins.resources(found.target) else { return };
        match dependencies::resolve(self.targets.graph, found.target, written) {
            Ok(named) => found.inferred.extend(named.iter().filter_map(|address| self.targets.number(address))),
            Err(error) => found.tell(Severity::Error, None, chain(&error), error.hint().map(str::to_owned)),
        }
    }

    fn of_image(&self, found: &mut Found<'a>) {
        let source = || found.target.sources.first().and_then(|source| (self.texts)(source));
        let Some(text) = images::instructions(found.target).or_else(source) else { return };
        let build_args = &self.settings.build_args;
        found.inferred.extend(images::implied(found.target, &text, build_args, &self.targets, &self.packages));
    }

    fn of_script(&self, found: &mut Found<'a>) {
        let text = found.target.sources.first().and_then(|source| (self.texts)(source));
        for path in text.map(|text| sourced(&text)).unwrap_or_default() {
            let is_script = |owner: &Number| {
                matches!(self.targets.get(*owner).kind.as_str(), kind::SHELL_SOURCE | kind::SHUNIT2_TEST)
            };
            let mut owners = self.targets.owners(&path).iter().copied().filter(is_script);
            if let (Some(owner), None) = (owners.next(), owners.next()) {
                found.inferred.push(owner);
            }
        }
    }

    fn tell_ambiguous(
        &self,
        found: &mut Found<'a>,
        severity: Severity,
        what: &str,
        candidates: &[Number],
        line: Option<u32>,
    ) {
        let names: Vec<String> =
            candidates.iter().map(|number| format!("`{}`", self.targets.get(*number).address)).collect();
        let message = format!("{what} may come from any of {}: none is taken", names.join(", "));
        let hint = "name the right one in `dependencies`, or exclude the others with `!`";
        found.tell(severity, line, message, Some(hint.to_owned()));
    }

    /// One message a target: a file that lacks one requirement often imports many names of it.
    fn tell_unowned(&self, found: &mut Found<'a>, unowned: &[(u32, String)]) {
        let Some(severity) = self.unowned_severity() else { return };
        let (message, line) = match unowned {
            [] => return,
            [(line, module)] => (format!("no target provides the imported module `{module}`"), *line),
            [(line, _), ..] => {
                let modules: Vec<String> =
                    unowned.iter().map(|(line, module)| format!("`{module}` (line {line})")).collect();
                (format!("no target provides the imported modules {}", modules.join(", ")), *line)
            }
        };
        let has =
            |resolve: &str, module: &str| owners(&self.targets, &self.map, module, Some(resolve), None) != Owners::None;
        let resolves = self.map.resolves().map(|(name, _)| name).filter(|name| *name != found.resolve);
        let elsewhere: Vec<String> = resolves
            .flat_map(|resolve| unowned.iter().map(move |(_, module)| (resolve, module)))
            .filter(|(resolve, module)| has(resolve, module))
            .map(|(resolve, module)| format!("`{resolve}` has `{module}`"))
            .collect();
        let hint = match elsewhere.is_empty() {
            true => "declare what provides it, or add `# pants: no-infer-dep` to the line".to_owned(),
            false => format!("the target is in the resolve `{}`; {}", found.resolve, elsewhere.join(", ")),
        };
        found.tell(severity, Some(line), message, Some(hint));
    }

    fn unowned_severity(&self) -> Option<Severity> {
        match self.settings.unowned {
            Unowned::Ignore => None,
            Unowned::Warn => Some(Severity::Warning),
            Unowned::Error => Some(Severity::Error),
        }
    }
}
