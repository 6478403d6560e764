//! Finds the targets that own an imported module. Only lookups in memory; diagnostics are reported by `infer`.

use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::inference::module_map::{ModuleMap, Provider, ResolveModules, top_level_name};
use crate::inference::target_index::{TargetId, TargetIndex};
use crate::inference::third_party::Provides;

/// The owners of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owners {
    /// No target provides the module.
    None,
    /// At most one target that provides the code and one that provides the type stubs.
    Known(Vec<TargetId>),
    /// All candidates; several provide the code, or several provide the stubs.
    Ambiguous(Vec<TargetId>),
}

/// A provider, and the number of components removed from the end of the module name before it was found.
type Candidate = (usize, Provider);

/// Finds the owners of `module` in `resolve`, or in all resolves if that is `None`. `near`: if several targets are equally
/// good, those in the directories that share the longest path with it are preferred.
pub fn owners(
    targets: &TargetIndex<'_>,
    map: &ModuleMap,
    module: &str,
    resolve: Option<&str>,
    near: Option<&RelPath>,
) -> Owners {
    let mut candidates = Vec::new();
    match resolve {
        Some(resolve) => map.resolve(resolve).into_iter().for_each(|modules| look_up(modules, module, &mut candidates)),
        None => map.resolves().for_each(|(_, modules)| look_up(modules, module, &mut candidates)),
    }
    let mut found = Vec::new();
    let mut ambiguous = false;
    for provides in [Provides::Code, Provides::Stubs] {
        let mut nearest = nearest_name(&candidates, provides);
        if let Some(near) = near.filter(|_| nearest.len() > 1) {
            nearest = nearest_place(targets, nearest, near);
        }
        ambiguous |= nearest.len() > 1;
        found.extend(nearest);
    }
    match (found.is_empty(), ambiguous) {
        (true, _) => Owners::None,
        (false, true) => Owners::Ambiguous(found),
        (false, false) => Owners::Known(found),
    }
}

/// The requirements that provide the code of a module or of its nearest ancestor. First-party modules are ignored.
pub fn requirements(
    targets: &TargetIndex<'_>,
    map: &ModuleMap,
    module: &str,
    resolve: &str,
    near: Option<&RelPath>,
) -> Vec<TargetId> {
    let mut candidates = Vec::new();
    if let Some(modules) = map.resolve(resolve) {
        find_third_party(modules, module, &mut candidates);
    }
    let nearest = nearest_name(&candidates, Provides::Code);
    match near.filter(|_| nearest.len() > 1) {
        Some(near) => nearest_place(targets, nearest, near),
        None => nearest,
    }
}

/// First-party code is looked up by the module name or its parent (the module may be a name imported from the parent);
/// requirements also by every other ancestor.
fn look_up(modules: &ResolveModules, module: &str, candidates: &mut Vec<Candidate>) {
    find_third_party(modules, module, candidates);
    find_nearest(&modules.first_party, module, 2, candidates);
}

/// Checks the top-level name first, because most modules are first-party.
fn find_third_party(modules: &ResolveModules, module: &str, candidates: &mut Vec<Candidate>) {
    if modules.third_party_top_levels.contains(top_level_name(module)) {
        find_nearest(&modules.third_party, module, usize::MAX, candidates);
    }
}

/// Adds the providers of the module or of its nearest ancestor that has any. Tries at most `steps` names.
fn find_nearest(names: &FxHashMap<String, Vec<Provider>>, module: &str, steps: usize, candidates: &mut Vec<Candidate>) {
    let ancestors = std::iter::successors(Some(module), |name| name.rsplit_once('.').map(|(parent, _)| parent));
    for (cut, name) in ancestors.take(steps).enumerate() {
        if let Some(providers) = names.get(name) {
            candidates.extend(providers.iter().map(|provider| (cut, *provider)));
            return;
        }
    }
}

fn nearest_name(candidates: &[Candidate], provides: Provides) -> Vec<TargetId> {
    let matching = || candidates.iter().filter(|(_, provider)| provider.provides == provides);
    let nearest = matching().map(|(cut, _)| *cut).min();
    matching().filter(|(cut, _)| Some(*cut) == nearest).map(|(_, provider)| provider.target).collect()
}

fn nearest_place(targets: &TargetIndex<'_>, candidates: Vec<TargetId>, near: &RelPath) -> Vec<TargetId> {
    let shared = |id: &TargetId| {
        let dir = &targets.get(*id).address.dir;
        dir.components().zip(near.components()).take_while(|(one, other)| one == other).count()
    };
    let most = candidates.iter().map(shared).max();
    candidates.into_iter().filter(|id| Some(shared(id)) == most).collect()
}
