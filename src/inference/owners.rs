//! Which targets an imported module means. Pure lookups: nothing is read, and nobody is told.

use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::inference::module_map::{ModuleMap, Modules, Provider, first_word};
use crate::inference::numbered::{Number, Numbered};
use crate::inference::third_party::Provides;

/// Up to one provider of code and one of stubs, or all candidates when one side has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owners {
    None,
    Known(Vec<Number>),
    Ambiguous(Vec<Number>),
}

/// A provider, and how many names were cut off the module's end until it was found.
type Candidate = (usize, Provider);

/// `resolve`: `None` looks into all. `near`: between equals, the targets that share the longest path with it.
pub fn owners(
    targets: &Numbered<'_>,
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

/// The requirements that have the code of a module or of its nearest ancestor, whatever the repository itself has.
pub fn requirements(
    targets: &Numbered<'_>,
    map: &ModuleMap,
    module: &str,
    resolve: &str,
    near: Option<&RelPath>,
) -> Vec<Number> {
    let mut candidates = Vec::new();
    if let Some(modules) = map.resolve(resolve) {
        climb_third_party(modules, module, &mut candidates);
    }
    let nearest = nearest_name(&candidates, Provides::Code);
    match near.filter(|_| nearest.len() > 1) {
        Some(near) => nearest_place(targets, nearest, near),
        None => nearest,
    }
}

/// In the repository the module itself or else its parent (a name imported from it); among requirements every ancestor.
fn look_up(modules: &Modules, module: &str, candidates: &mut Vec<Candidate>) {
    climb_third_party(modules, module, candidates);
    climb(&modules.first_party, module, 2, candidates);
}

/// Most modules are the repository's own: their first word tells that no requirement has them.
fn climb_third_party(modules: &Modules, module: &str, candidates: &mut Vec<Candidate>) {
    if modules.third_party_begins.contains(first_word(module)) {
        climb(&modules.third_party, module, usize::MAX, candidates);
    }
}

/// The providers of the first name that has any, of the module and so many of its ancestors in all.
fn climb(names: &FxHashMap<String, Vec<Provider>>, module: &str, steps: usize, candidates: &mut Vec<Candidate>) {
    let ancestors = std::iter::successors(Some(module), |name| name.rsplit_once('.').map(|(parent, _)| parent));
    for (cut, name) in ancestors.take(steps).enumerate() {
        if let Some(providers) = names.get(name) {
            candidates.extend(providers.iter().map(|provider| (cut, *provider)));
            return;
        }
    }
}

fn nearest_name(candidates: &[Candidate], provides: Provides) -> Vec<Number> {
    let fitting = || candidates.iter().filter(|(_, provider)| provider.provides == provides);
    let nearest = fitting().map(|(cut, _)| *cut).min();
    fitting().filter(|(cut, _)| Some(*cut) == nearest).map(|(_, provider)| provider.target).collect()
}

fn nearest_place(targets: &Numbered<'_>, candidates: Vec<Number>, near: &RelPath) -> Vec<Number> {
    let shared = |number: &Number| {
        let dir = &targets.get(*number).address.dir;
        dir.components().zip(near.components()).take_while(|(one, other)| one == other).count()
    };
    let most = candidates.iter().map(shared).max();
    candidates.into_iter().filter(|number| Some(shared(number)) == most).collect()
}
