//! Maps module names to the targets that provide them, for each resolve. `owners` chooses between several providers.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::RelPath;
use crate::inference::definition_index::DefinitionIndex;
use crate::inference::interface_definition::Language;
use crate::inference::settings::InferenceSettings;
use crate::inference::source_root::SourceRoots;
use crate::inference::target_index::{TargetId, TargetIndex};
use crate::inference::third_party::{Provides, modules_of, normalize, project_name};
use crate::targets::kind;
use crate::targets::{Target, Value};

/// The modules of all resolves.
#[derive(Debug, Default)]
pub struct ModuleMap {
    resolves: BTreeMap<String, ResolveModules>,
    /// By directory.
    locations: FxHashMap<RelPath, Arc<PackageLocation>>,
}

/// The modules of one resolve. First-party and third-party modules are separate, because lookups treat them differently.
#[derive(Debug, Default)]
pub struct ResolveModules {
    /// Modules of the repository, by full name.
    pub first_party: FxHashMap<String, Vec<Provider>>,
    /// Modules of requirements, by full name.
    pub third_party: FxHashMap<String, Vec<Provider>>,
    /// The top-level names of the third-party modules.
    pub third_party_top_levels: FxHashSet<String>,
}

/// A target that provides a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Provider {
    /// The target.
    pub target: TargetId,
    /// Whether it provides the module itself or its type stubs.
    pub provides: Provides,
}

/// The package that the Python files of a directory belong to.
#[derive(Debug, PartialEq, Eq)]
pub struct PackageLocation {
    /// The source root of the directory.
    pub source_root: RelPath,
    /// The path of the directory below the source root, as a dotted name.
    pub package: String,
}

impl ModuleMap {
    /// Maps the modules of all targets.
    pub fn new(
        targets: &TargetIndex<'_>,
        settings: &InferenceSettings,
        roots: &SourceRoots,
        definitions: &DefinitionIndex,
    ) -> ModuleMap {
        let locations = locate_packages(targets, roots);
        let mut resolves: BTreeMap<String, ResolveModules> = BTreeMap::new();
        let source_modules = |(_, target): &(TargetId, &Target)| {
            let sources = target.sources.iter().filter(|_| is_python_source(target));
            sources.filter_map(|source| module_of(source, &locations)).collect()
        };
        let all: Vec<(TargetId, &Target)> = targets.iter().collect();
        let source_modules: Vec<Vec<(String, Provides)>> = all.par_iter().map(source_modules).collect();
        for ((id, target), source_modules) in all.into_iter().zip(source_modules) {
            let resolve = resolve_of(target, settings);
            if is_python_source(target) {
                let modules = modules_of_resolve(&mut resolves, resolve);
                for (module, provides) in source_modules {
                    let provider = Provider { target: id, provides };
                    modules.first_party.entry(module).or_default().push(provider);
                }
            } else if target.kind == kind::VCS_VERSION {
                if let Some(module) = generated_module(target, roots) {
                    let modules = modules_of_resolve(&mut resolves, resolve);
                    modules.first_party.entry(module).or_default().push(code_provider(id));
                }
            } else if Language::from_target(target).is_some() {
                for module in definitions.modules(id, target, settings) {
                    let modules = modules_of_resolve(&mut resolves, resolve);
                    modules.first_party.entry(module).or_default().push(code_provider(id));
                }
            } else if target.kind == kind::PYTHON_REQUIREMENT {
                let modules = modules_of_resolve(&mut resolves, resolve);
                for (provides, module) in required_modules(targets, target) {
                    let provider = Provider { target: id, provides };
                    if !modules.third_party_top_levels.contains(top_level_name(&module)) {
                        modules.third_party_top_levels.insert(top_level_name(&module).to_owned());
                    }
                    let providers = modules.third_party.entry(module).or_default();
                    if !providers.contains(&provider) {
                        providers.push(provider);
                    }
                }
            }
        }
        ModuleMap { resolves, locations }
    }

    /// The modules of a resolve; `None` if no target uses it.
    pub fn resolve(&self, name: &str) -> Option<&ResolveModules> {
        self.resolves.get(name)
    }

    /// All resolves with their modules, sorted by name.
    pub fn resolves(&self) -> impl Iterator<Item = (&str, &ResolveModules)> {
        self.resolves.iter().map(|(name, modules)| (name.as_str(), modules))
    }

    /// The package location of a directory; `None` if it has no Python sources or no source root.
    pub fn location(&self, dir: &RelPath) -> Option<&PackageLocation> {
        self.locations.get(dir).map(Arc::as_ref)
    }
}

/// Whether the target has Python sources that can be imported or run.
pub fn is_python_source(target: &Target) -> bool {
    matches!(target.kind.as_str(), kind::PYTHON_SOURCE | kind::PYTHON_TEST)
}

/// The name of the resolve that a target uses; the default resolve if resolves are disabled.
pub fn resolve_of<'a>(target: &'a Target, settings: &'a InferenceSettings) -> &'a str {
    if !settings.enable_resolves {
        return &settings.default_resolve;
    }
    let field = if is_generating(target) { "python_resolve" } else { "resolve" };
    target.text(field).unwrap_or(&settings.default_resolve)
}

/// Whether Python code is generated from the target.
fn is_generating(target: &Target) -> bool {
    target.kind == "vcs_version" || Language::from_target(target).is_some()
}

/// The modules of a resolve, to be extended.
fn modules_of_resolve<'r>(resolves: &'r mut BTreeMap<String, ResolveModules>, resolve: &str) -> &'r mut ResolveModules {
    if !resolves.contains_key(resolve) {
        resolves.insert(resolve.to_owned(), ResolveModules::default());
    }
    resolves.get_mut(resolve).expect("inserted above if it was missing")
}

fn code_provider(target: TargetId) -> Provider {
    Provider { target, provides: Provides::Code }
}

/// The first component of a dotted name.
pub fn top_level_name(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// The dotted name of a file below its source root: `a/b/__init__.py` is `a.b`, and so is `a/b.pyi`.
pub fn module_name(stripped: &str) -> String {
    let (dir, name) = stripped.rsplit_once('/').unwrap_or(("", stripped));
    let stem = match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    };
    let is_package = matches!(name, "__init__.py" | "__init__.pyi");
    let parts = dir.split('/').chain(Some(stem).filter(|_| !is_package));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}

fn module_of(source: &RelPath, locations: &FxHashMap<RelPath, Arc<PackageLocation>>) -> Option<(String, Provides)> {
    let location = locations.get(&source.parent()?)?;
    let name = module_name(source.file_name()?);
    let provides = if source.extension() == Some("pyi") { Provides::Stubs } else { Provides::Code };
    let module = match (location.package.as_str(), name) {
        ("", name) => name,
        (package, name) if name.is_empty() => package.to_owned(),
        (package, name) => format!("{package}.{name}"),
    };
    Some((module, provides))
}

/// The module that a `vcs_version` target generates. The path of the file is relative to the build root, and the file
/// does not exist in the repository.
fn generated_module(target: &Target, roots: &SourceRoots) -> Option<String> {
    let file = RelPath::parse(target.text("generate_to")?).ok()?;
    let stripped = file.strip_prefix(&roots.find_for_dir(&file.parent()?)?)?;
    (file.extension() == Some("py")).then(|| module_name(stripped.as_str()))
}

fn locate_packages(targets: &TargetIndex<'_>, roots: &SourceRoots) -> FxHashMap<RelPath, Arc<PackageLocation>> {
    let sources = targets.iter().filter(|(_, target)| is_python_source(target)).flat_map(|(_, target)| &target.sources);
    let mut dirs: Vec<&str> = sources.map(RelPath::dir_text).collect();
    // Consecutive sources are mostly in the same directory.
    dirs.dedup();
    dirs.sort_unstable();
    dirs.dedup();
    let location = |dir: &str| {
        let dir = RelPath::parse(dir).ok()?;
        let source_root = roots.find_for_dir(&dir)?;
        let package = dir.strip_prefix(&source_root)?.as_str().replace('/', ".");
        Some((dir, Arc::new(PackageLocation { source_root, package })))
    };
    dirs.into_par_iter().filter_map(location).collect()
}

/// The modules that a `python_requirement` provides: those of its own fields, else of its generator's mappings, else those
/// derived from its name.
fn required_modules(targets: &TargetIndex<'_>, target: &Target) -> Vec<(Provides, String)> {
    let strings = |field| target.strings(field);
    for (field, provides) in [("modules", Provides::Code), ("type_stub_modules", Provides::Stubs)] {
        let modules = strings(field);
        if !modules.is_empty() {
            return modules.into_iter().map(|module| (provides, module.to_owned())).collect();
        }
    }
    let generator = target.generator.as_ref().and_then(|generator| targets.graph.get(generator));
    let requirements = strings("requirements");
    let mut provided = Vec::new();
    for requirement in requirements {
        let mapped = generator.and_then(|generator| mapped_modules(generator, project_name(requirement)));
        let (provides, modules) = mapped.unwrap_or_else(|| modules_of(requirement));
        provided.extend(modules.into_iter().map(|module| (provides, module)));
    }
    provided
}

fn mapped_modules(generator: &Target, project: &str) -> Option<(Provides, Vec<String>)> {
    let project = normalize(project);
    let mappings = [("module_mapping", Provides::Code), ("type_stubs_module_mapping", Provides::Stubs)];
    mappings.into_iter().find_map(|(field, provides)| {
        let matches = |key: &Value| key.as_str().is_some_and(|key| normalize(key) == project);
        let (_, modules) = generator.entries(field).iter().find(|(key, _)| matches(key))?;
        let modules: Vec<String> = modules.strings().into_iter().map(str::to_owned).collect();
        (!modules.is_empty()).then_some((provides, modules))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expected: &str) {
        assert_eq!(module_name(file), expected, "{file}");
    }

    #[test]
    fn module_names_follow_paths() {
        check("a/b.py", "a.b");
        check("a/b.pyi", "a.b");
        check("a/b/__init__.py", "a.b");
        check("a/__init__.pyi", "a");
        check("__init__.py", "");
        check("tool", "tool");
        check("a/.hidden", "a..hidden");
    }
}
