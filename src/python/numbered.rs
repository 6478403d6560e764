//! The targets by number: what inference computes with, since numbers are cheap to keep and compare.
//! The order of numbers is the order of addresses.

use std::collections::{BTreeMap, HashMap};

use crate::base::RelPath;
use crate::target::{Address, Target, TargetGraph};

pub type Number = u32;

pub struct Numbered<'a> {
    pub graph: &'a TargetGraph,
    targets: Vec<&'a Target>,
    numbers: HashMap<&'a Address, Number>,
    /// Address without parameters, to the targets that differ only in them.
    parametrized: HashMap<Address, Vec<Number>>,
    /// What each target generated.
    generated: Vec<Vec<Number>>,
    /// File, to the targets that have it for a source, generators left out.
    owners: HashMap<&'a RelPath, Vec<Number>>,
}

impl<'a> Numbered<'a> {
    pub fn new(graph: &'a TargetGraph) -> Numbered<'a> {
        let targets: Vec<&Target> = graph.targets().collect();
        let numbers: HashMap<&Address, Number> =
            targets.iter().zip(0..).map(|(target, number)| (&target.address, number)).collect();
        let mut parametrized: HashMap<Address, Vec<Number>> = HashMap::new();
        for (target, number) in targets.iter().zip(0..) {
            if !target.address.parameters.is_empty() {
                parametrized.entry(bare(&target.address)).or_default().push(number);
            }
        }
        let mut generated: Vec<Vec<Number>> = vec![Vec::new(); targets.len()];
        for (target, number) in targets.iter().zip(0..) {
            if let Some(generator) = target.generator.as_ref().and_then(|generator| numbers.get(generator)) {
                generated[*generator as usize].push(number);
            }
        }
        let mut owners: HashMap<&RelPath, Vec<Number>> = HashMap::new();
        for ((target, number), generated) in targets.iter().zip(0..).zip(&generated) {
            if generated.is_empty() {
                target.sources.iter().for_each(|source| owners.entry(source).or_default().push(number));
            }
        }
        Numbered { graph, targets, numbers, parametrized, generated, owners }
    }

    pub fn len(&self) -> usize {
        self.targets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub fn get(&self, number: Number) -> &'a Target {
        self.targets[number as usize]
    }

    pub fn number(&self, address: &Address) -> Option<Number> {
        self.numbers.get(address).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Number, &'a Target)> {
        (0..).zip(self.targets.iter().copied())
    }

    /// What a generator generated, sorted; empty for every other target.
    pub fn generated_by(&self, number: Number) -> &[Number] {
        &self.generated[number as usize]
    }

    /// Who has this file for a source and was not replaced by what it generated; sorted.
    pub fn owners(&self, file: &RelPath) -> &[Number] {
        self.owners.get(file).map_or(&[], Vec::as_slice)
    }

    /// What an address in a `dependencies` field of `consumer` means: a generator stands for all that it generates,
    /// and of parametrized targets the one that shares the consumer's values is meant. `parameter` tells those.
    /// Empty if there is no such target.
    pub fn expand(&self, address: &Address, parameter: &dyn Fn(&str) -> Option<String>) -> Vec<Number> {
        let meant: Vec<Number> = match self.number(address) {
            Some(number) => vec![number],
            None => self.parametrized_as(address, parameter),
        };
        let mut expanded = Vec::with_capacity(meant.len());
        for number in meant {
            match self.generated_by(number) {
                [] => expanded.push(number),
                generated => expanded.extend(generated),
            }
        }
        expanded
    }

    fn parametrized_as(&self, address: &Address, parameter: &dyn Fn(&str) -> Option<String>) -> Vec<Number> {
        let Some(candidates) = self.parametrized.get(&bare(address)) else { return Vec::new() };
        let parameters = |number: &Number| &self.get(*number).address.parameters;
        let named = |number: &Number| is_subset(&address.parameters, parameters(number));
        let candidates: Vec<Number> = candidates.iter().copied().filter(named).collect();
        let agrees = |number: &&Number| {
            let mut left = parameters(number).iter().filter(|(name, _)| !address.parameters.contains_key(*name));
            left.all(|(name, value)| parameter(name).as_ref() == Some(value))
        };
        match candidates.iter().find(agrees) {
            Some(number) => vec![*number],
            None if candidates.len() == 1 => candidates,
            None => Vec::new(),
        }
    }
}

fn bare(address: &Address) -> Address {
    Address { parameters: BTreeMap::new(), ..address.clone() }
}

fn is_subset(small: &BTreeMap<String, String>, large: &BTreeMap<String, String>) -> bool {
    small.iter().all(|(name, value)| large.get(name) == Some(value))
}
