//! What depends on what, once it is known: direct and transitive, forwards and backwards. How it came to be known is
//! `infer`'s.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::inference::numbered::Number;
use crate::targets::{Address, Diagnostic, Kind, TargetGraph, TargetPositions};

#[derive(Debug, Default)]
pub struct Dependencies {
    /// Sorted; a target's number is its place here.
    addresses: Vec<Address>,
    numbers: Arc<TargetPositions>,
    /// Of the targets that were asked about and of all that those need.
    edges: Vec<Option<Edges>>,
    /// What is in doubt, with the target that it is about. A goal that needs the dependencies of a target with an
    /// error cannot go on.
    pub diagnostics: Vec<(Address, Diagnostic)>,
}

/// Each list is sorted and without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edges {
    pub direct: Vec<Number>,
    /// The direct ones with the generators that were named, where that is not the same.
    pub named: Option<Vec<Number>>,
    /// Needed by the target itself, built or copied in their own way; a closure does not follow them.
    pub special: Vec<Number>,
    /// What `!!` takes out of every closure that the target is in.
    pub excluded: Vec<Number>,
}

impl Dependencies {
    pub(crate) fn new(
        addresses: Vec<Address>,
        numbers: Arc<TargetPositions>,
        edges: Vec<Option<Edges>>,
        diagnostics: Vec<(Address, Diagnostic)>,
    ) -> Dependencies {
        Dependencies { addresses, numbers, edges, diagnostics }
    }

    /// Sorted. What `dependencies` and `peek` show: special ones too.
    pub fn direct(&self, address: &Address) -> Vec<&Address> {
        let Some(edges) = self.edges_of(address) else { return Vec::new() };
        let mut numbers: Vec<Number> = edges.direct.iter().chain(&edges.special).copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| self.address(number)).collect()
    }

    /// Those that are written and inferred, with generators as they were named; no special ones. By number.
    pub fn named(&self, number: Number) -> &[Number] {
        let edges = self.edges(number);
        edges.named.as_ref().unwrap_or(&edges.direct)
    }

    /// The same in the order in which Pants walks and `peek` prints them: first what is named or inferred, then what
    /// named generators stand for.
    pub fn listed(&self, graph: &TargetGraph, address: &Address) -> Vec<&Address> {
        let Some(edges) = self.edges_of(address) else { return Vec::new() };
        let is_generator = |address: &Address| {
            let kind = graph.get(address).and_then(|target| Kind::find(&target.kind));
            kind.is_some_and(Kind::is_generator)
        };
        let named = |address: &Address| {
            let number = self.number(address).filter(|_| edges.named.is_some());
            !is_generator(address) && number.is_none_or(|number| edges.written().any(|written| *written == number))
        };
        let (mut listed, mut expanded): (Vec<&Address>, Vec<&Address>) =
            self.direct(address).into_iter().partition(|address| named(address));
        listed.sort_by(|left, right| left.list_order(right));
        // A generator that makes nothing stands for itself.
        let generator = |address: &'_ Address| {
            let generator = graph.get(address).and_then(|target| target.generator.clone());
            generator.unwrap_or_else(|| address.clone())
        };
        expanded
            .sort_by(|left, right| generator(left).list_order(&generator(right)).then_with(|| left.list_order(right)));
        listed.extend(expanded);
        listed
    }

    /// Sorted: those that only the target itself uses (`runtime_package_dependencies`, an archive's `packages` …).
    pub fn special(&self, address: &Address) -> Vec<&Address> {
        let edges = self.edges_of(address).map(|edges| edges.special.as_slice()).unwrap_or_default();
        edges.iter().map(|number| self.address(*number)).collect()
    }

    /// All that the roots need, special ones too; a root only if something needs it. What a `!!` on the way names is
    /// left out; what that needs in turn stays, as in Pants.
    pub fn transitive<'a>(&self, roots: impl IntoIterator<Item = &'a Address>) -> BTreeSet<Address> {
        let roots: Vec<Number> = roots.into_iter().filter_map(|root| self.number(root)).collect();
        let next = |number: Number| {
            let edges = self.edges(number);
            edges.direct.iter().chain(&edges.special)
        };
        let found = reach(self.edges.len(), &roots, next);
        let found = self.without_excluded(&roots, found);
        found.into_iter().map(|number| self.address(number).clone()).collect()
    }

    /// What the roots need without special ones: what would be in their sandboxes.
    pub fn needed(&self, roots: &[Address]) -> BTreeSet<Address> {
        let roots: Vec<Number> = roots.iter().filter_map(|root| self.number(root)).collect();
        self.reached(&roots, |_| true).into_iter().map(|number| self.address(number).clone()).collect()
    }

    /// Sorted. Who names the target or was inferred to need it; of a file's target, not those who name its generator.
    pub fn dependents<'a>(&'a self, address: &'a Address) -> Vec<&'a Address> {
        self.dependents_of_all([address]).into_iter().collect()
    }

    /// Who depends on any of these directly and is not one of them.
    pub fn dependents_of_all<'a>(&'a self, addresses: impl IntoIterator<Item = &'a Address>) -> BTreeSet<&'a Address> {
        let wanted: BTreeSet<Number> = addresses.into_iter().filter_map(|address| self.number(address)).collect();
        let depends = |edges: &Edges| edges.written().any(|number| wanted.contains(number));
        let dependents = self.all_edges().filter(|(number, edges)| !wanted.contains(number) && depends(edges));
        dependents.map(|(number, _)| self.address(number)).collect()
    }

    /// Who depends on any of these directly or through others, and is not one of them.
    pub fn transitive_dependents<'a>(
        &'a self,
        addresses: impl IntoIterator<Item = &'a Address>,
    ) -> BTreeSet<&'a Address> {
        let mut backwards: Vec<Vec<Number>> = vec![Vec::new(); self.edges.len()];
        for (dependent, edges) in self.all_edges() {
            edges.written().for_each(|number| backwards[*number as usize].push(dependent));
        }
        let roots: Vec<Number> = addresses.into_iter().filter_map(|address| self.number(address)).collect();
        let found = reach(self.edges.len(), &roots, |number| backwards[number as usize].iter());
        found.into_iter().filter(|number| !roots.contains(number)).map(|number| self.address(number)).collect()
    }

    /// By number: whether the target can reach this one, by any number of steps.
    pub(crate) fn reaching(&self, to: Number) -> Vec<bool> {
        let mut backwards: Vec<Vec<Number>> = vec![Vec::new(); self.edges.len()];
        for (dependent, edges) in self.all_edges() {
            edges.direct.iter().chain(&edges.special).for_each(|number| backwards[*number as usize].push(dependent));
        }
        let mut reaching = vec![false; self.edges.len()];
        for number in reach(self.edges.len(), &[to], |number| backwards[number as usize].iter()) {
            reaching[number as usize] = true;
        }
        reaching
    }

    /// Of all targets, sorted.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Of targets.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    pub(crate) fn number(&self, address: &Address) -> Option<Number> {
        self.numbers.get(address).copied()
    }

    /// Whether those of every target were asked for.
    pub fn are_whole(&self) -> bool {
        self.edges.iter().all(Option::is_some)
    }

    /// Whether all that an address depends on was asked for, however indirectly. What is no target depends on nothing.
    pub fn cover(&self, address: &Address) -> bool {
        self.number(address).is_none_or(|number| self.edges[number as usize].is_some())
    }

    /// The number of a target whose dependencies were asked for.
    pub(crate) fn known(&self, address: &Address) -> Option<Number> {
        self.number(address).filter(|number| self.edges[*number as usize].is_some())
    }

    pub(crate) fn address(&self, number: Number) -> &Address {
        &self.addresses[number as usize]
    }

    /// Sorted; what goes into a sandbox. `follow`: whether a target's own dependencies are of interest.
    pub(crate) fn reached(&self, roots: &[Number], follow: impl Fn(Number) -> bool) -> Vec<Number> {
        let next = |number| if follow(number) { self.edges(number).direct.iter() } else { [].iter() };
        self.without_excluded(roots, reach(self.edges.len(), roots, next))
    }

    fn without_excluded(&self, roots: &[Number], mut found: Vec<Number>) -> Vec<Number> {
        let excluded = roots.iter().chain(&found).flat_map(|number| &self.edges(*number).excluded);
        let excluded: BTreeSet<Number> = excluded.copied().collect();
        found.retain(|number| !excluded.contains(number));
        found
    }

    fn edges_of(&self, address: &Address) -> Option<&Edges> {
        Some(self.edges(self.number(address)?))
    }

    fn edges(&self, number: Number) -> &Edges {
        static NONE: Edges = Edges { direct: Vec::new(), named: None, special: Vec::new(), excluded: Vec::new() };
        let edges = self.edges[number as usize].as_ref();
        debug_assert!(edges.is_some(), "nobody asked what {} depends on", self.address(number));
        edges.unwrap_or(&NONE)
    }

    /// To look at them backwards: those of every target have to be known.
    fn all_edges(&self) -> impl Iterator<Item = (Number, &Edges)> {
        (0..).zip(&self.edges).map(|(number, _)| (number, self.edges(number)))
    }
}

impl Edges {
    fn written(&self) -> impl Iterator<Item = &Number> {
        self.named.as_ref().unwrap_or(&self.direct).iter().chain(&self.special)
    }
}

/// All that can be reached from the roots by at least one step, sorted. Cycles are welcome.
fn reach<'a, I: Iterator<Item = &'a Number>>(
    count: usize,
    roots: &[Number],
    next: impl Fn(Number) -> I,
) -> Vec<Number> {
    let mut seen = vec![false; count];
    let mut walked = vec![false; count];
    let mut left: Vec<Number> = roots.to_vec();
    while let Some(number) = left.pop() {
        if std::mem::replace(&mut walked[number as usize], true) {
            continue;
        }
        for neighbour in next(number) {
            if !std::mem::replace(&mut seen[*neighbour as usize], true) {
                left.push(*neighbour);
            }
        }
    }
    (0..).zip(seen).filter(|(_, seen)| *seen).map(|(number, _)| number).collect()
}
