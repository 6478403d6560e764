//! Module names to the targets that provide them, for each resolve. Which of several providers an import means is
//! for `owners` to say.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::RelPath;
use crate::inference::definition::Language;
use crate::inference::definitions::Definitions;
use crate::inference::numbered::{Number, Numbered};
use crate::inference::settings::Settings;
use crate::inference::source_root::SourceRoots;
use crate::inference::third_party::{Provides, modules_of, normalize, project_name};
use crate::targets::kind;
use crate::targets::{Target, Value};

#[derive(Debug, Default)]
pub struct ModuleMap {
    resolves: BTreeMap<String, Modules>,
    homes: FxHashMap<RelPath, Arc<Home>>,
}

/// One resolve's. Code of the repository and of requirements apart: lookups climb differently.
#[derive(Debug, Default)]
pub struct Modules {
    pub first_party: FxHashMap<String, Vec<Provider>>,
    pub third_party: FxHashMap<String, Vec<Provider>>,
    /// What comes before the first dot of those.
    pub third_party_begins: FxHashSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Provider {
    pub target: Number,
    pub provides: Provides,
}

/// Where the files of a folder stand in Python's eyes.
#[derive(Debug, PartialEq, Eq)]
pub struct Home {
    pub source_root: RelPath,
    /// The folder below the source root, as a dotted name.
    pub package: String,
}

impl ModuleMap {
    pub fn new(
        targets: &Numbered<'_>,
        settings: &Settings,
        roots: &SourceRoots,
        definitions: &Definitions,
    ) -> ModuleMap {
        let homes = homes(targets, roots);
        let mut resolves: BTreeMap<String, Modules> = BTreeMap::new();
        let of_sources = |(_, target): &(Number, &Target)| {
            let sources = target.sources.iter().filter(|_| is_python_source(target));
            sources.filter_map(|source| module_of(source, &homes)).collect()
        };
        let all: Vec<(Number, &Target)> = targets.iter().collect();
        let of_sources: Vec<Vec<(String, Provides)>> = all.par_iter().map(of_sources).collect();
        for ((number, target), of_sources) in all.into_iter().zip(of_sources) {
            let resolve = resolve_of(target, settings);
            if is_python_source(target) {
                let modules = of_resolve(&mut resolves, resolve);
                for (module, provides) in of_sources {
                    let provider = Provider { target: number, provides };
                    modules.first_party.entry(module).or_default().push(provider);
                }
            } else if target.kind == kind::VCS_VERSION {
                if let Some(module) = generated_module(target, roots) {
                    let modules = of_resolve(&mut resolves, resolve);
                    modules.first_party.entry(module).or_default().push(code_of(number));
                }
            } else if Language::of(target).is_some() {
                for module in definitions.modules(number, target, settings) {
                    let modules = of_resolve(&mut resolves, resolve);
                    modules.first_party.entry(module).or_default().push(code_of(number));
                }
            } else if target.kind == kind::PYTHON_REQUIREMENT {
                let modules = of_resolve(&mut resolves, resolve);
                for (provides, module) in required(targets, target) {
                    let provider = Provider { target: number, provides };
                    if !modules.third_party_begins.contains(first_word(&module)) {
                        modules.third_party_begins.insert(first_word(&module).to_owned());
                    }
                    let providers = modules.third_party.entry(module).or_default();
                    if !providers.contains(&provider) {
                        providers.push(provider);
                    }
                }
            }
        }
        ModuleMap { resolves, homes }
    }

    /// `None`: nobody is in that resolve.
    pub fn resolve(&self, name: &str) -> Option<&Modules> {
        self.resolves.get(name)
    }

    /// Sorted by name.
    pub fn resolves(&self) -> impl Iterator<Item = (&str, &Modules)> {
        self.resolves.iter().map(|(name, modules)| (name.as_str(), modules))
    }

    /// Nothing for a folder without Python sources or without a source root.
    pub fn home(&self, dir: &RelPath) -> Option<&Home> {
        self.homes.get(dir).map(Arc::as_ref)
    }
}

pub fn is_python_source(target: &Target) -> bool {
    matches!(target.kind.as_str(), kind::PYTHON_SOURCE | kind::PYTHON_TEST)
}

/// The resolve that a target is in; one name for all where resolves are off.
pub fn resolve_of<'a>(target: &'a Target, settings: &'a Settings) -> &'a str {
    if !settings.enable_resolves {
        return &settings.default_resolve;
    }
    let field = if is_generating(target) { "python_resolve" } else { "resolve" };
    target.fields.get(field).and_then(Value::as_str).unwrap_or(&settings.default_resolve)
}

/// Is Python made of what the target has, which is something else?
fn is_generating(target: &Target) -> bool {
    target.kind == kind::VCS_VERSION || Language::of(target).is_some()
}

fn of_resolve<'r>(resolves: &'r mut BTreeMap<String, Modules>, resolve: &str) -> &'r mut Modules {
    if !resolves.contains_key(resolve) {
        resolves.insert(resolve.to_owned(), Modules::default());
    }
    resolves.get_mut(resolve).expect("it was put there where it was missing")
}

fn code_of(target: Number) -> Provider {
    Provider { target, provides: Provides::Code }
}

/// Of a dotted name.
pub fn first_word(module: &str) -> &str {
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

fn module_of(source: &RelPath, homes: &FxHashMap<RelPath, Arc<Home>>) -> Option<(String, Provides)> {
    let home = homes.get(&source.parent()?)?;
    let name = module_name(source.file_name()?);
    let provides = if source.extension() == Some("pyi") { Provides::Stubs } else { Provides::Code };
    let module = match (home.package.as_str(), name) {
        ("", name) => name,
        (package, name) if name.is_empty() => package.to_owned(),
        (package, name) => format!("{package}.{name}"),
    };
    Some((module, provides))
}

/// The module that a `vcs_version` writes: its file is named from the build root, and is in no directory of ours.
fn generated_module(target: &Target, roots: &SourceRoots) -> Option<String> {
    let file = RelPath::parse(target.fields.get("generate_to")?.as_str()?).ok()?;
    let stripped = file.strip_prefix(&roots.of_dir(&file.parent()?)?)?;
    (file.extension() == Some("py")).then(|| module_name(stripped.as_str()))
}

fn homes(targets: &Numbered<'_>, roots: &SourceRoots) -> FxHashMap<RelPath, Arc<Home>> {
    let sources = targets.iter().filter(|(_, target)| is_python_source(target)).flat_map(|(_, target)| &target.sources);
    let mut dirs: Vec<&str> = sources.map(RelPath::dir_text).collect();
    // Neighbours mostly lie in one directory.
    dirs.dedup();
    dirs.sort_unstable();
    dirs.dedup();
    let home = |dir: &str| {
        let dir = RelPath::parse(dir).ok()?;
        let source_root = roots.of_dir(&dir)?;
        let package = dir.strip_prefix(&source_root)?.as_str().replace('/', ".");
        Some((dir, Arc::new(Home { source_root, package })))
    };
    dirs.into_par_iter().filter_map(home).collect()
}

/// What a `python_requirement` provides: as it says, else as its generator's mappings say, else by its name.
fn required(targets: &Numbered<'_>, target: &Target) -> Vec<(Provides, String)> {
    let said = |field| target.fields.get(field).map(Value::strings).unwrap_or_default();
    for (field, provides) in [("modules", Provides::Code), ("type_stub_modules", Provides::Stubs)] {
        let modules = said(field);
        if !modules.is_empty() {
            return modules.into_iter().map(|module| (provides, module.to_owned())).collect();
        }
    }
    let generator = target.generator.as_ref().and_then(|generator| targets.graph.get(generator));
    let requirements = said("requirements");
    let mut provided = Vec::new();
    for requirement in requirements {
        let mapped = generator.and_then(|generator| mapped(generator, project_name(requirement)));
        let (provides, modules) = mapped.unwrap_or_else(|| modules_of(requirement));
        provided.extend(modules.into_iter().map(|module| (provides, module)));
    }
    provided
}

fn mapped(generator: &Target, project: &str) -> Option<(Provides, Vec<String>)> {
    let project = normalize(project);
    let mappings = [("module_mapping", Provides::Code), ("type_stubs_module_mapping", Provides::Stubs)];
    mappings.into_iter().find_map(|(field, provides)| {
        let Some(Value::Dict(entries)) = generator.fields.get(field) else { return None };
        let is_meant = |key: &Value| key.as_str().is_some_and(|key| normalize(key) == project);
        let (_, modules) = entries.iter().find(|(key, _)| is_meant(key))?;
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
    fn a_file_is_named_by_its_path() {
        check("a/b.py", "a.b");
        check("a/b.pyi", "a.b");
        check("a/b/__init__.py", "a.b");
        check("a/__init__.pyi", "a");
        check("__init__.py", "");
        check("tool", "tool");
        check("a/.hidden", "a..hidden");
    }
}
