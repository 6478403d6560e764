//! Infers the dependencies of targets: those written in BUILD files, generated targets, and those that follow from
//! sources. Does not read files; the caller passes readers, and everything else is looked up in memory.

mod diagnostics;
mod entry_points;
mod interface_definitions;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::{RelPath, error_chain};
use crate::inference::ancestor_files::{AncestorFiles, find_ancestor_files};
use crate::inference::definition_index::DefinitionIndex;
use crate::inference::dependencies::{Dependencies, Edges};
use crate::inference::docker_images::{self, Packages};
use crate::inference::entry_point;
use crate::inference::explicit::resolve_explicit;
use crate::inference::imports::{Import, ImportKind, Imports};
use crate::inference::interface_definition::Language;
use crate::inference::module_map::{ModuleMap, PackageLocation, is_python_source, resolve_of};
use crate::inference::owners::{Owners, owners};
use crate::inference::settings::{InferenceSettings, InitFiles};
use crate::inference::shell_sources::find_sourced_files;
use crate::inference::source_root::SourceRoots;
use crate::inference::stdlib::is_stdlib;
use crate::inference::target_index::{TargetId, TargetIndex};
use crate::inference::third_party::normalize;
use crate::targets::kind;
use crate::targets::{Address, Diagnostic, Severity, Target, TargetGraph, dependencies};

/// The imports of files, by file.
pub type ImportsByFile = HashMap<RelPath, Arc<Imports>>;

/// What inference works on. `E` is the error type of the import reader.
pub struct InferenceInput<'a, E> {
    /// All targets of the repository.
    pub graph: &'a TargetGraph,
    /// The source roots of the repository.
    pub roots: &'a SourceRoots,
    /// The options that control inference.
    pub settings: &'a InferenceSettings,
    /// Returns the imports of many files at once, from an index or by parsing. Omits files that cannot be read.
    pub imports: &'a (dyn Fn(&[RelPath]) -> Result<ImportsByFile, E> + Sync),
    /// Returns the text of a Dockerfile, a shell script or an interface definition; `None` if it cannot be read.
    pub texts: &'a (dyn Fn(&RelPath) -> Option<String> + Sync),
}

/// The targets whose dependencies are inferred.
#[derive(Clone, Copy, Debug)]
pub enum Extent<'a> {
    /// All targets.
    Everything,
    /// These targets and all their dependencies, direct and transitive.
    From(&'a BTreeSet<Address>),
}

/// Infers the dependencies of the targets in `extent`. Fails only if `input.imports` fails; problems in the repository
/// become diagnostics of the result.
pub fn infer<E: Send>(input: &InferenceInput<'_, E>, extent: Extent<'_>) -> Result<Dependencies, E> {
    let targets = TargetIndex::new(input.graph);
    let mut pending: Vec<TargetId> = match extent {
        Extent::Everything => targets.iter().map(|(id, _)| id).collect(),
        Extent::From(roots) => roots.iter().filter_map(|root| targets.id(root)).collect(),
    };
    let init_files = init_files_to_read(input.settings, &targets);
    let first = sorted(sources(&targets, &pending).chain(init_files).collect());
    let definitions = DefinitionIndex::read(&targets, input.roots, input.texts);
    let map = || ModuleMap::new(&targets, input.settings, input.roots, &definitions);
    // Reading the files takes about as long as indexing all targets, so both run in parallel.
    let (imports, map) = rayon::join(|| (input.imports)(&first), map);
    let mut imports = imports?;
    let is_blank = |file: &RelPath| imports.get(file).is_some_and(|imports| imports.blank);
    let mut inference = Inference {
        map,
        ancestor_files: find_ancestor_files(&targets, input.settings.init_files, &is_blank),
        imports: HashMap::new(),
        extensions: index_extensions(&targets),
        assets: index_assets(input.settings, &targets),
        packages: Packages::collect(&targets),
        definitions,
        targets,
        roots: input.roots,
        settings: input.settings,
        texts: input.texts,
    };
    // Breadth first: the targets found in one round are read and processed together in the next one.
    let mut edges: Vec<Option<Edges>> = vec![None; inference.targets.len()];
    let mut diagnostics = Vec::new();
    while !pending.is_empty() {
        inference.imports.extend(std::mem::take(&mut imports));
        let inferred: Vec<(Edges, Vec<Diagnostic>)> =
            pending.par_iter().with_min_len(16).map(|id| inference.infer_target(*id)).collect();
        let mut found = Vec::new();
        for (id, (target_edges, target_diagnostics)) in pending.drain(..).zip(inferred) {
            found.extend(target_edges.direct.iter().chain(&target_edges.special));
            diagnostics.extend(target_diagnostics.into_iter().map(|diagnostic| (id, diagnostic)));
            edges[id as usize] = Some(target_edges);
        }
        pending = sorted(found).into_iter().filter(|id| edges[*id as usize].is_none()).collect();
        let unread = sources(&inference.targets, &pending).filter(|file| !inference.imports.contains_key(file));
        let unread = sorted(unread.collect());
        if !unread.is_empty() {
            imports = (input.imports)(&unread)?;
        }
    }
    diagnostics.sort_by_key(|(id, _)| *id);
    let address = |id| inference.targets.get(id).address.clone();
    let diagnostics = diagnostics.into_iter().map(|(id, diagnostic)| (address(id), diagnostic)).collect();
    let addresses = inference.targets.iter().map(|(_, target)| target.address.clone()).collect();
    Ok(Dependencies::new(addresses, input.graph.positions().clone(), edges, diagnostics))
}

/// The indexes that inference looks targets up in.
struct Inference<'a> {
    roots: &'a SourceRoots,
    settings: &'a InferenceSettings,
    texts: &'a (dyn Fn(&RelPath) -> Option<String> + Sync),
    targets: TargetIndex<'a>,
    map: ModuleMap,
    imports: ImportsByFile,
    /// By directory.
    ancestor_files: FxHashMap<RelPath, AncestorFiles>,
    /// Entry points of `python_distribution` targets, by stevedore namespace.
    extensions: FxHashMap<&'a str, Vec<&'a str>>,
    /// `resource` and `file` targets, by source.
    assets: FxHashMap<&'a RelPath, Vec<TargetId>>,
    packages: Packages,
    definitions: DefinitionIndex,
}

/// The Python files of these targets. Decided by target type, because a script may have no extension.
fn sources(targets: &TargetIndex<'_>, ids: &[TargetId]) -> impl Iterator<Item = RelPath> {
    let targets = ids.iter().map(|id| targets.get(*id));
    targets.filter(|target| is_python_source(target)).flat_map(|target| target.sources.iter().cloned())
}

/// The `__init__.py` files that must be read to know whether they are blank.
fn init_files_to_read(settings: &InferenceSettings, targets: &TargetIndex<'_>) -> Vec<RelPath> {
    if settings.init_files != InitFiles::ContentOnly {
        return Vec::new();
    }
    let sources = targets.iter().filter(|(_, target)| is_python_source(target)).flat_map(|(_, target)| &target.sources);
    sources.filter(|file| matches!(file.file_name(), Some("__init__.py" | "__init__.pyi"))).cloned().collect()
}

fn index_assets<'a>(settings: &InferenceSettings, targets: &TargetIndex<'a>) -> FxHashMap<&'a RelPath, Vec<TargetId>> {
    let mut assets: FxHashMap<&RelPath, Vec<TargetId>> = FxHashMap::default();
    if settings.assets {
        for (id, target) in targets.iter().filter(|(_, target)| matches!(target.kind.as_str(), "resource" | "file")) {
            target.sources.iter().for_each(|source| assets.entry(source).or_default().push(id));
        }
    }
    assets
}

fn index_extensions<'a>(targets: &TargetIndex<'a>) -> FxHashMap<&'a str, Vec<&'a str>> {
    let mut extensions: FxHashMap<&str, Vec<&str>> = FxHashMap::default();
    for (_, target) in targets.iter().filter(|(_, target)| target.kind == kind::PYTHON_DISTRIBUTION) {
        for (namespace, written) in entry_point::stevedore_entry_points(target) {
            if !entry_point::is_address(written) {
                extensions.entry(namespace).or_default().push(written);
            }
        }
    }
    extensions
}

/// The dependencies of one target while they are collected.
struct Collected<'a> {
    target: &'a Target,
    resolve: &'a str,
    inferred: Vec<TargetId>,
    includes: Vec<TargetId>,
    excludes: Vec<TargetId>,
    diagnostics: Vec<Diagnostic>,
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

impl<'a> Inference<'a> {
    fn infer_target(&self, id: TargetId) -> (Edges, Vec<Diagnostic>) {
        let target = self.targets.get(id);
        let generated = self.targets.generated_by(id);
        if !generated.is_empty() {
            return (Edges { direct: generated.to_vec(), ..Edges::default() }, Vec::new());
        }
        let resolve = resolve_of(target, self.settings);
        let explicit = resolve_explicit(&self.targets, target, self.settings);
        let mut collected = Collected {
            target,
            resolve,
            inferred: Vec::new(),
            includes: explicit.includes,
            excludes: explicit.excludes,
            diagnostics: Vec::new(),
        };
        for error in explicit.errors {
            let written = ["", "!", "!!"].map(|mark| format!("{mark}{}", error.written()));
            let written: Vec<&str> = written.iter().map(String::as_str).collect();
            let place = target.place_of((self.texts)(&target.build_file), &written);
            let found = Diagnostic::error(&target.build_file, place, error_chain(&error));
            collected.diagnostics.push(Diagnostic { hint: error.hint().map(str::to_owned), ..found });
        }
        self.infer_by_kind(&mut collected, id);
        // A file that imports a name from itself depends on itself, as in Pants.
        let plugins = &self.settings.plugins;
        let is_excluded = |id: &&TargetId| plugins.excludes(target, &self.targets.get(**id).address);
        collected.excludes.extend(collected.inferred.iter().filter(is_excluded).copied().collect::<Vec<_>>());
        let Collected { inferred, includes, excludes, diagnostics, .. } = collected;
        let with_inferred = |ids: &[TargetId]| {
            let ids = ids.iter().chain(&inferred).copied();
            sorted(ids.filter(|id| !excludes.contains(id)).collect())
        };
        let has_generators = explicit.unexpanded.iter().any(|id| !includes.contains(id));
        let edges = Edges {
            direct: with_inferred(&includes),
            unexpanded: has_generators.then(|| with_inferred(&explicit.unexpanded)),
            special: sorted(explicit.special),
            excluded: sorted(explicit.transitive_excludes),
        };
        (edges, diagnostics)
    }

    fn infer_by_kind(&self, collected: &mut Collected<'a>, id: TargetId) {
        match collected.target.kind.as_str() {
            "pex_binary" if self.settings.entry_points => self.infer_entry_point_field(collected, "entry_point"),
            "python_awslambda" | "python_aws_lambda_function" | "python_google_cloud_function"
                if self.settings.entry_points =>
            {
                self.infer_entry_point_field(collected, "handler")
            }
            "python_distribution" if self.settings.entry_points => self.infer_distribution(collected),
            "platform_resources" => self.infer_platform_resources(collected),
            "docker_image" => self.infer_docker_image(collected),
            "relocated_files" => self.check_relocated_files(collected),
            "shell_source" | "shunit2_test" if self.settings.shell => self.infer_script(collected),
            _ if is_python_source(collected.target) => {
                self.infer_source(collected);
                self.infer_extensions(collected);
                self.infer_requested_entry_points(collected);
            }
            _ => {
                if let Some(language) = Language::from_target(collected.target) {
                    self.infer_definition(collected, id, language);
                }
            }
        }
    }

    fn infer_source(&self, collected: &mut Collected<'a>) {
        for source in &collected.target.sources {
            let Some(dir) = source.parent() else { continue };
            if let Some(imports) = self.imports.get(source) {
                self.infer_imports(collected, source, &dir, imports);
            }
            self.infer_ancestor_files(collected, source, &dir);
        }
    }

    fn infer_imports(&self, collected: &mut Collected<'a>, source: &RelPath, dir: &RelPath, imports: &Imports) {
        if imports.unread {
            let message = format!("cannot read the imports of `{source}`: the file is too large or too deeply nested");
            collected.report(Severity::Warning, None, message, None);
        }
        let location = self.map.location(dir);
        let mut unowned = Vec::new();
        for import in &imports.found {
            match import.kind {
                ImportKind::Asset => self.infer_asset(collected, dir, import),
                _ if !self.is_enabled(import) => {}
                _ => {
                    let module = import.absolute(location.map_or("", |location| &location.package));
                    if !self.infer_module(collected, location, &module, import) {
                        unowned.push((import.line, module.into_owned()));
                    }
                }
            }
        }
        unowned.sort();
        self.report_unowned(collected, &unowned);
    }

    /// Whether the settings enable inference from imports of this kind.
    fn is_enabled(&self, import: &Import) -> bool {
        let settings = self.settings;
        if import.kind == ImportKind::Import {
            return settings.imports;
        }
        settings.string_imports
            && import.module.matches('.').count() >= settings.string_imports_min_dots
            && !settings.string_import_ignore.is_match(&import.module)
    }

    /// Returns false if no target owns the module and the import must be reported as unowned.
    fn infer_module(
        &self,
        collected: &mut Collected<'a>,
        location: Option<&PackageLocation>,
        module: &str,
        import: &Import,
    ) -> bool {
        let near = location.map(|location| &location.source_root).filter(|_| self.settings.by_source_root);
        let mut candidates = match owners(&self.targets, &self.map, module, Some(collected.resolve), near) {
            Owners::Known(owners) => {
                collected.inferred.extend(owners);
                return true;
            }
            Owners::Ambiguous(candidates) => candidates,
            Owners::None => Vec::new(),
        };
        if !candidates.is_empty() {
            if candidates.iter().any(|candidate| collected.includes.contains(candidate)) {
                return true;
            }
            candidates.retain(|candidate| !collected.excludes.contains(candidate));
            if let [owner] = candidates[..] {
                collected.inferred.push(owner);
                return true;
            }
            let own = self.own_requirement(collected.target, &candidates);
            if let Some(owner) = own.or_else(|| self.nearest(collected.target, &candidates)) {
                collected.inferred.push(owner);
                return true;
            }
            // A string that looks like a module, such as the name of a file, is often none.
            if import.kind == ImportKind::String && self.settings.nearest {
                return true;
            }
            // An ambiguous import has no dependency either: it is an error where unowned imports are errors.
            let severity = self.unowned_severity().filter(|_| !self.may_be_unowned(module, import));
            let severity = severity.unwrap_or(Severity::Warning);
            self.report_ambiguous(collected, severity, &format!("module `{module}`"), &candidates, Some(import.line));
            return true;
        }
        self.may_be_unowned(module, import)
    }

    /// The requirement of the target's own project, if all candidates are requirements of the same distribution that the
    /// `pyproject.toml` files of several projects declare: members of a workspace share requirements.
    fn own_requirement(&self, target: &Target, candidates: &[TargetId]) -> Option<TargetId> {
        let distribution = |id: TargetId| {
            let candidate = self.targets.get(id);
            let generator = self.targets.id(&Address::new(&candidate.address.dir, &candidate.address.name))?;
            let is_project = self.targets.get(generator).globs() == ["pyproject.toml"];
            candidate.address.generated.as_deref().filter(|_| is_project).map(normalize)
        };
        let first = distribution(*candidates.first()?)?;
        if !candidates.iter().all(|id| distribution(*id).as_ref() == Some(&first)) {
            return None;
        }
        let source = target.sources.first()?;
        let depth = |id: &TargetId| self.targets.get(*id).address.dir.components().count();
        let above = candidates.iter().filter(|id| source.starts_with(&self.targets.get(**id).address.dir));
        above.max_by_key(|id| depth(id)).copied()
    }

    /// The only candidate that is code of the repository; without one, the requirement in the nearest directory, the first of equally
    /// near ones. `None` unless the settings ask for it.
    fn nearest(&self, target: &Target, candidates: &[TargetId]) -> Option<TargetId> {
        if !self.settings.nearest {
            return None;
        }
        let is_requirement = |id: &&TargetId| self.targets.get(**id).kind == kind::PYTHON_REQUIREMENT;
        match candidates.iter().filter(|id| !is_requirement(id)).collect::<Vec<_>>()[..] {
            [] => {}
            [code] => return Some(*code),
            _ => return None,
        }
        let shared = |id: &&TargetId| {
            let components = self.targets.get(**id).address.dir.components().map(str::to_owned).collect::<Vec<_>>();
            let own = target.address.dir.components();
            components.iter().zip(own).take_while(|(one, other)| one == other).count()
        };
        // `max_by_key` would return the last one.
        candidates.iter().rev().max_by_key(shared).copied()
    }

    /// Whether the module needs no owner: the import is weak, in the standard library, or ignored by the settings.
    fn may_be_unowned(&self, module: &str, import: &Import) -> bool {
        let ignored = &self.settings.ignored_unowned;
        let is_below =
            |prefix: &String| module.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        import.weak || is_stdlib(module) || ignored.iter().any(is_below)
    }

    fn infer_asset(&self, collected: &mut Collected<'a>, dir: &RelPath, import: &Import) {
        let settings = self.settings;
        if !settings.assets || import.module.matches('/').count() < settings.assets_min_slashes {
            return;
        }
        let Ok(path) = RelPath::parse(&import.module) else { return };
        let of_kind = |path: &RelPath, kind: &str| {
            let ids = self.assets.get(path).into_iter().flatten().copied();
            ids.filter(|id| self.targets.get(*id).kind == kind).collect::<Vec<_>>()
        };
        let mut candidates = of_kind(&dir.join(&path), "resource");
        candidates.extend(of_kind(&path, "file"));
        self.add_unambiguous(collected, candidates, &format!("asset `{path}`"), Some(import.line));
    }

    /// Adds the only candidate, or the only one that is not excluded. Adds none if one of several candidates is already
    /// an explicit dependency.
    fn add_unambiguous(
        &self,
        collected: &mut Collected<'a>,
        mut candidates: Vec<TargetId>,
        what: &str,
        line: Option<u32>,
    ) {
        if candidates.len() > 1 {
            if candidates.iter().any(|candidate| collected.includes.contains(candidate)) {
                return;
            }
            candidates.retain(|candidate| !collected.excludes.contains(candidate));
        }
        match candidates[..] {
            [] => {}
            [owner] => collected.inferred.push(owner),
            _ => self.report_ambiguous(collected, Severity::Warning, what, &candidates, line),
        }
    }

    fn infer_ancestor_files(&self, collected: &mut Collected<'a>, source: &RelPath, dir: &RelPath) {
        let Some(above) = self.ancestor_files.get(dir) else { return };
        let shares = |owner: &TargetId| resolve_of(self.targets.get(*owner), self.settings) == collected.resolve;
        if matches!(source.extension(), Some("py" | "pyi")) {
            let inits = above.inits.iter().filter(|owner| !self.targets.get(**owner).sources.contains(source));
            collected.inferred.extend(inits.copied().filter(shares));
        }
        if collected.target.kind != "python_test" || !self.settings.conftests {
            return;
        }
        collected.inferred.extend(above.conftests.iter().copied().filter(shares));
        for conftest in &above.unowned_conftests {
            let message = format!("`{conftest}` applies to `{source}`, but no target owns it");
            let hint = "declare `python_test_utils()` in the BUILD file of its directory";
            collected.report(Severity::Error, None, message, Some(hint.to_owned()));
        }
    }

    fn infer_platform_resources(&self, collected: &mut Collected<'a>) {
        let Some(written) = self.settings.plugins.platform_resources(collected.target) else { return };
        match dependencies::resolve(self.targets.graph, collected.target, written) {
            Ok(addresses) => collected.inferred.extend(addresses.iter().filter_map(|address| self.targets.id(address))),
            Err(error) => {
                collected.report(Severity::Error, None, error_chain(&error), error.hint().map(str::to_owned));
            }
        }
    }

    fn infer_docker_image(&self, collected: &mut Collected<'a>) {
        let source = || collected.target.sources.first().and_then(|source| (self.texts)(source));
        let Some(text) = docker_images::instructions(collected.target).or_else(source) else { return };
        let build_args = &self.settings.docker_build_args;
        collected.inferred.extend(docker_images::find_packages(
            collected.target,
            &text,
            build_args,
            &self.targets,
            &self.packages,
        ));
    }

    fn infer_script(&self, collected: &mut Collected<'a>) {
        let text = collected.target.sources.first().and_then(|source| (self.texts)(source));
        for path in text.map(|text| find_sourced_files(&text)).unwrap_or_default() {
            let is_script =
                |owner: &TargetId| matches!(self.targets.get(*owner).kind.as_str(), "shell_source" | "shunit2_test");
            let mut owners = self.targets.owners(&path).iter().copied().filter(is_script);
            if let (Some(owner), None) = (owners.next(), owners.next()) {
                collected.inferred.push(owner);
            }
        }
    }
}
