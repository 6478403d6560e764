//! All targets of a repository, generated ones included. How they came about is `load`'s.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::{RulesCall, Value};
use crate::target::{Address, Files};

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
    files: Files,
    build_files: BTreeMap<RelPath, Rules>,
}

/// The visibility rules of one BUILD file, unread.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub dependencies: Vec<RulesCall>,
    pub dependents: Vec<RulesCall>,
}

impl TargetGraph {
    pub fn insert(&mut self, target: Target) {
        if let Some(generator) = &target.generator {
            self.generated.entry(generator.clone()).or_default().push(target.address.clone());
        }
        if self.targets.contains_key(&target.address) {
            // A file of requirements that several parametrizations of its generator share.
            return;
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

    /// A graph without targets over the files of a repository.
    pub fn over(files: Files) -> TargetGraph {
        TargetGraph { files, ..TargetGraph::default() }
    }

    /// Every file of the repository that is not ignored.
    pub fn files(&self) -> &Files {
        &self.files
    }

    pub fn insert_build_file(&mut self, file: RelPath, rules: Rules) {
        self.build_files.insert(file, rules);
    }

    /// Every BUILD file that was read, broken ones included, with its visibility rules.
    pub fn build_files(&self) -> impl Iterator<Item = (&RelPath, &Rules)> {
        self.build_files.iter()
    }

    pub fn is_build_file(&self, file: &RelPath) -> bool {
        self.build_files.contains_key(file)
    }

    /// The target of this address, or all its parametrizations that have at least the address's parameters.
    pub fn parametrizations(&self, address: &Address) -> Vec<&Target> {
        if let Some(target) = self.get(address) {
            return vec![target];
        }
        let first = Address { parameters: BTreeMap::new(), ..address.clone() };
        let same = |other: &Address| {
            other.dir == address.dir
                && other.file == address.file
                && other.name == address.name
                && other.generated == address.generated
        };
        let all = self.targets.range(first..).take_while(|(other, _)| same(other));
        let has =
            |other: &Address| address.parameters.iter().all(|(key, value)| other.parameters.get(key) == Some(value));
        all.filter(|(other, _)| has(other)).map(|(_, target)| target).collect()
    }

    /// The targets written or generated under a BUILD directory, sorted.
    pub fn in_build_dir(&self, dir: &RelPath) -> impl Iterator<Item = &Target> {
        let first = Address::of(dir, "");
        self.targets.range(first..).map(|(_, target)| target).take_while(move |target| target.address.dir == *dir)
    }
}
