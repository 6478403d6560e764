//! All targets of a repository, generated ones included. How they came about is `load`'s.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::Value;
use crate::target::Address;

#[derive(Clone, Debug)]
pub struct Target {
    pub address: Address,
    /// The target type, as BUILD files spell it: `python_test`.
    pub kind: String,
    /// What was set, after `__defaults__`, overrides and parametrize. An absent field has its default.
    pub fields: BTreeMap<String, Value>,
    /// The source files, from the build root, sorted; exactly one for a file's target.
    pub sources: Vec<RelPath>,
    /// The target that this one was generated from.
    pub generator: Option<Address>,
    pub build_file: RelPath,
    pub place: Place,
}

#[derive(Clone, Debug, Default)]
pub struct TargetGraph {
    targets: BTreeMap<Address, Target>,
    generated: BTreeMap<Address, Vec<Address>>,
    owners: BTreeMap<RelPath, Vec<Address>>,
}

impl TargetGraph {
    pub fn insert(&mut self, target: Target) {
        if let Some(generator) = &target.generator {
            self.generated.entry(generator.clone()).or_default().push(target.address.clone());
        }
        for source in &target.sources {
            self.owners.entry(source.clone()).or_default().push(target.address.clone());
        }
        self.targets.insert(target.address.clone(), target);
    }

    pub fn get(&self, address: &Address) -> Option<&Target> {
        self.targets.get(address)
    }

    /// Sorted by address.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values()
    }

    /// What a generator generated, sorted.
    pub fn generated_by(&self, generator: &Address) -> &[Address] {
        self.generated.get(generator).map_or(&[], Vec::as_slice)
    }

    /// Every target that has this file as a source, generators included.
    pub fn owners(&self, file: &RelPath) -> &[Address] {
        self.owners.get(file).map_or(&[], Vec::as_slice)
    }
}
