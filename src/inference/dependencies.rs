//! The dependency graph: direct and transitive dependencies and dependents of targets. How dependencies are found is
//! implemented in `infer`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::inference::target_index::TargetId;
use crate::targets::{Address, Diagnostic, Kind, TargetGraph, TargetPositions};

/// The inferred dependencies of targets.
#[derive(Debug, Default)]
pub struct Dependencies {
    /// Sorted; the id of a target is its index here.
    addresses: Vec<Address>,
    ids: Arc<TargetPositions>,
    /// By target id; `None` if the dependencies of the target were not inferred.
    edges: Vec<Option<Edges>>,
    /// Problems found during inference, with the target concerned. A goal that needs the dependencies of a target with
    /// an error must stop.
    pub diagnostics: Vec<(Address, Diagnostic)>,
}

/// The dependencies of one target. All lists are sorted and without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edges {
    /// Explicit and inferred dependencies, with target generators replaced by the targets that they generate.
    pub direct: Vec<TargetId>,
    /// The same with target generators as written, if that is a different list.
    pub unexpanded: Option<Vec<TargetId>>,
    /// Special-cased dependencies: used by the target in its own way and not followed by closures.
    pub special: Vec<TargetId>,
    /// Targets excluded with `!!` from every closure that contains this target.
    pub excluded: Vec<TargetId>,
}

impl Dependencies {
    pub(crate) fn new(
        addresses: Vec<Address>,
        ids: Arc<TargetPositions>,
        edges: Vec<Option<Edges>>,
        diagnostics: Vec<(Address, Diagnostic)>,
    ) -> Dependencies {
        Dependencies { addresses, ids, edges, diagnostics }
    }

    /// The direct dependencies that the goals `dependencies` and `peek` show, special-cased ones included; sorted.
    pub fn direct(&self, address: &Address) -> Vec<&Address> {
        let Some(edges) = self.edges_of(address) else { return Vec::new() };
        let mut ids: Vec<TargetId> = edges.direct.iter().chain(&edges.special).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(|id| self.address(id)).collect()
    }

    /// The explicit and inferred dependencies with target generators as written; without special-cased ones.
    pub fn unexpanded(&self, id: TargetId) -> &[TargetId] {
        let edges = self.edges(id);
        edges.unexpanded.as_ref().unwrap_or(&edges.direct)
    }

    /// The direct dependencies in the order in which Pants traverses and `peek` prints them: first those that are
    /// written or inferred, then those that come from target generators.
    pub fn in_pants_order(&self, graph: &TargetGraph, address: &Address) -> Vec<&Address> {
        let Some(edges) = self.edges_of(address) else { return Vec::new() };
        let is_generator = |address: &Address| {
            let kind = graph.get(address).and_then(|target| Kind::find(&target.kind));
            kind.is_some_and(Kind::is_generator)
        };
        let is_written = |address: &Address| {
            let id = self.id(address).filter(|_| edges.unexpanded.is_some());
            !is_generator(address) && id.is_none_or(|id| edges.written().any(|written| *written == id))
        };
        let (mut ordered, mut expanded): (Vec<&Address>, Vec<&Address>) =
            self.direct(address).into_iter().partition(|address| is_written(address));
        ordered.sort_by(|left, right| left.list_order(right));
        // A target generator that generates no targets is listed itself.
        let generator = |address: &'_ Address| {
            let generator = graph.get(address).and_then(|target| target.generator.clone());
            generator.unwrap_or_else(|| address.clone())
        };
        expanded
            .sort_by(|left, right| generator(left).list_order(&generator(right)).then_with(|| left.list_order(right)));
        ordered.extend(expanded);
        ordered
    }

    /// The special-cased dependencies (`runtime_package_dependencies`, an archive's `packages` …); sorted.
    pub fn special(&self, address: &Address) -> Vec<&Address> {
        let edges = self.edges_of(address).map(|edges| edges.special.as_slice()).unwrap_or_default();
        edges.iter().map(|id| self.address(*id)).collect()
    }

    /// All transitive dependencies of the roots, special-cased ones included. A root is included only if a target depends
    /// on it. Targets excluded with `!!` are removed, but their own dependencies stay, as in Pants.
    pub fn transitive<'a>(&self, roots: impl IntoIterator<Item = &'a Address>) -> BTreeSet<Address> {
        let roots: Vec<TargetId> = roots.into_iter().filter_map(|root| self.id(root)).collect();
        let next = |id: TargetId| {
            let edges = self.edges(id);
            edges.direct.iter().chain(&edges.special)
        };
        let found = reach(self.edges.len(), &roots, next);
        let found = self.without_excluded(&roots, found);
        found.into_iter().map(|id| self.address(id).clone()).collect()
    }

    /// The transitive dependencies without special-cased ones: the targets that the sandboxes of the roots contain.
    pub fn transitive_without_special(&self, roots: &[Address]) -> BTreeSet<Address> {
        let roots: Vec<TargetId> = roots.iter().filter_map(|root| self.id(root)).collect();
        self.reachable(&roots, |_| true).into_iter().map(|id| self.address(id).clone()).collect()
    }

    /// The targets that name `address` or were inferred to depend on it; sorted. A dependent of a target generator does
    /// not count as a dependent of the generated targets.
    pub fn dependents<'a>(&'a self, address: &'a Address) -> Vec<&'a Address> {
        self.dependents_of_all([address]).into_iter().collect()
    }

    /// The targets that directly depend on any of these, without these themselves.
    pub fn dependents_of_all<'a>(&'a self, addresses: impl IntoIterator<Item = &'a Address>) -> BTreeSet<&'a Address> {
        let wanted: BTreeSet<TargetId> = addresses.into_iter().filter_map(|address| self.id(address)).collect();
        let depends = |edges: &Edges| edges.written().any(|id| wanted.contains(id));
        let dependents = self.all_edges().filter(|(id, edges)| !wanted.contains(id) && depends(edges));
        dependents.map(|(id, _)| self.address(id)).collect()
    }

    /// The targets that directly or indirectly depend on any of these, without these themselves.
    pub fn transitive_dependents<'a>(
        &'a self,
        addresses: impl IntoIterator<Item = &'a Address>,
    ) -> BTreeSet<&'a Address> {
        let mut backwards: Vec<Vec<TargetId>> = vec![Vec::new(); self.edges.len()];
        for (dependent, edges) in self.all_edges() {
            edges.written().for_each(|id| backwards[*id as usize].push(dependent));
        }
        let roots: Vec<TargetId> = addresses.into_iter().filter_map(|address| self.id(address)).collect();
        let found = reach(self.edges.len(), &roots, |id| backwards[id as usize].iter());
        found.into_iter().filter(|id| !roots.contains(id)).map(|id| self.address(id)).collect()
    }

    /// By target id: whether the target directly or indirectly depends on `to`.
    pub(crate) fn targets_reaching(&self, to: TargetId) -> Vec<bool> {
        let mut backwards: Vec<Vec<TargetId>> = vec![Vec::new(); self.edges.len()];
        for (dependent, edges) in self.all_edges() {
            edges.direct.iter().chain(&edges.special).for_each(|id| backwards[*id as usize].push(dependent));
        }
        let mut reaching = vec![false; self.edges.len()];
        for id in reach(self.edges.len(), &[to], |id| backwards[id as usize].iter()) {
            reaching[id as usize] = true;
        }
        reaching
    }

    /// The addresses of all targets, sorted.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The number of targets.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether there are no targets.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    pub(crate) fn id(&self, address: &Address) -> Option<TargetId> {
        self.ids.get(address).copied()
    }

    /// Whether the dependencies of every target were inferred.
    pub fn is_complete(&self) -> bool {
        self.edges.iter().all(Option::is_some)
    }

    /// Whether the dependencies of this target, direct and transitive, were inferred. True for unknown addresses.
    pub fn is_inferred(&self, address: &Address) -> bool {
        self.id(address).is_none_or(|id| self.edges[id as usize].is_some())
    }

    /// The id of a target whose dependencies were inferred.
    pub(crate) fn inferred_id(&self, address: &Address) -> Option<TargetId> {
        self.id(address).filter(|id| self.edges[*id as usize].is_some())
    }

    pub(crate) fn address(&self, id: TargetId) -> &Address {
        &self.addresses[id as usize]
    }

    /// The targets that the roots depend on, without special-cased dependencies; sorted. `follow` decides whether the
    /// dependencies of a target are followed.
    pub(crate) fn reachable(&self, roots: &[TargetId], follow: impl Fn(TargetId) -> bool) -> Vec<TargetId> {
        let next = |id| if follow(id) { self.edges(id).direct.iter() } else { [].iter() };
        self.without_excluded(roots, reach(self.edges.len(), roots, next))
    }

    fn without_excluded(&self, roots: &[TargetId], mut found: Vec<TargetId>) -> Vec<TargetId> {
        let excluded = roots.iter().chain(&found).flat_map(|id| &self.edges(*id).excluded);
        let excluded: BTreeSet<TargetId> = excluded.copied().collect();
        found.retain(|id| !excluded.contains(id));
        found
    }

    fn edges_of(&self, address: &Address) -> Option<&Edges> {
        Some(self.edges(self.id(address)?))
    }

    fn edges(&self, id: TargetId) -> &Edges {
        static NONE: Edges = Edges { direct: Vec::new(), unexpanded: None, special: Vec::new(), excluded: Vec::new() };
        let edges = self.edges[id as usize].as_ref();
        debug_assert!(edges.is_some(), "the dependencies of {} were not inferred", self.address(id));
        edges.unwrap_or(&NONE)
    }

    /// The edges of all targets. The dependencies of every target must have been inferred.
    fn all_edges(&self) -> impl Iterator<Item = (TargetId, &Edges)> {
        (0..).zip(&self.edges).map(|(id, _)| (id, self.edges(id)))
    }
}

impl Edges {
    /// The dependencies as written, special-cased ones included.
    fn written(&self) -> impl Iterator<Item = &TargetId> {
        self.unexpanded.as_ref().unwrap_or(&self.direct).iter().chain(&self.special)
    }
}

/// All targets that can be reached from the roots in at least one step, sorted. Cycles are allowed.
fn reach<'a, I: Iterator<Item = &'a TargetId>>(
    count: usize,
    roots: &[TargetId],
    next: impl Fn(TargetId) -> I,
) -> Vec<TargetId> {
    let mut seen = vec![false; count];
    let mut expanded = vec![false; count];
    let mut pending: Vec<TargetId> = roots.to_vec();
    while let Some(id) = pending.pop() {
        if std::mem::replace(&mut expanded[id as usize], true) {
            continue;
        }
        for neighbour in next(id) {
            if !std::mem::replace(&mut seen[*neighbour as usize], true) {
                pending.push(*neighbour);
            }
        }
    }
    (0..).zip(seen).filter(|(_, seen)| *seen).map(|(id, _)| id).collect()
}
