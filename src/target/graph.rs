//! All targets of a repository, generated ones included. How they came about is `load`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::{RulesCall, Value};
use crate::target::kind::{Kind, Sources};
use crate::target::visibility::Visibility;
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

impl Target {
    /// The file that a binary or function starts with, when its field names a file.
    pub fn entry_file(&self) -> Option<RelPath> {
        let field = ["entry_point", "handler"].into_iter().find_map(|field| self.fields.get(field)?.as_str())?;
        let path = field.split(':').next().filter(|path| path.ends_with(".py"))?;
        self.address.dir.push(path).ok()
    }

    /// The globs of its sources, from the BUILD file's directory: as written, or those of its type.
    pub fn globs(&self) -> Vec<&str> {
        let Some(kind) = Kind::of(&self.kind) else { return Vec::new() };
        let written = match kind.sources {
            Sources::None => return Vec::new(),
            Sources::One => self.fields.get("source").filter(|source| **source != Value::None).map(|source| {
                // `http_source(…)` names no file of this repository by a glob.
                source.as_str().into_iter().collect()
            }),
            Sources::Many => self.fields.get("sources").filter(|sources| **sources != Value::None).map(Value::strings),
        };
        written.unwrap_or_else(|| kind.default_sources.to_vec())
    }
}

#[derive(Clone, Debug, Default)]
pub struct TargetGraph {
    targets: BTreeMap<Address, Target>,
    generated: HashMap<Address, Vec<Address>>,
    owners: HashMap<RelPath, Vec<Address>>,
    started: HashMap<RelPath, Vec<Address>>,
    files: Files,
    build_files: BTreeMap<RelPath, Rules>,
    build_dirs: BTreeSet<RelPath>,
    visibility: Visibility,
    default_resolve: Option<String>,
}

/// The visibility rules of one BUILD file, unread.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub dependencies: Vec<RulesCall>,
    pub dependents: Vec<RulesCall>,
}

impl TargetGraph {
    pub fn insert(&mut self, target: Target) {
        if self.index(&target, self.targets.contains_key(&target.address)) {
            self.targets.insert(target.address.clone(), target);
        }
    }

    /// All targets at once: much cheaper than one by one. Of two with the same address the first stays.
    pub fn fill(&mut self, mut targets: Vec<Target>) {
        targets.par_sort_by(|left, right| left.address.cmp(&right.address));
        let mut kept: Vec<(Address, Target)> = Vec::with_capacity(targets.len());
        for target in targets {
            let known = kept.last().is_some_and(|(address, _)| *address == target.address);
            if self.index(&target, known || self.targets.contains_key(&target.address)) {
                kept.push((target.address.clone(), target));
            }
        }
        match self.targets.is_empty() {
            true => self.targets = kept.into_iter().collect(),
            false => self.targets.extend(kept),
        }
    }

    /// Notes what the target owns and what it comes from. False for a target that is known already: a file of
    /// requirements that several parametrizations of its generator share.
    fn index(&mut self, target: &Target, known: bool) -> bool {
        if let Some(generator) = &target.generator {
            match self.generated.get_mut(generator) {
                Some(generated) => {
                    let at = generated.partition_point(|other| *other < target.address);
                    generated.insert(at, target.address.clone());
                }
                None => drop(self.generated.insert(generator.clone(), vec![target.address.clone()])),
            }
        }
        if known {
            return false;
        }
        for source in &target.sources {
            match self.owners.get_mut(source) {
                Some(owners) => owners.push(target.address.clone()),
                None => drop(self.owners.insert(source.clone(), vec![target.address.clone()])),
            }
        }
        if let Some(file) = target.entry_file() {
            self.started.entry(file).or_default().push(target.address.clone());
        }
        true
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

    /// The binaries and functions that start with this file.
    pub fn started_by(&self, file: &RelPath) -> &[Address] {
        self.started.get(file).map_or(&[], Vec::as_slice)
    }

    pub fn set_default_resolve(&mut self, resolve: &str) {
        self.default_resolve = Some(resolve.to_owned());
    }

    /// The value that a field has in targets which do not set it, as far as settings decide it.
    pub fn default_of(&self, field: &str) -> Option<&str> {
        self.default_resolve.as_deref().filter(|_| field == "resolve")
    }

    pub fn insert_build_file(&mut self, file: RelPath, rules: Rules) {
        self.build_dirs.insert(file.parent().unwrap_or_default());
        self.build_files.insert(file, rules);
    }

    /// Every BUILD file that was read, broken ones included, with its visibility rules.
    pub fn build_files(&self) -> impl Iterator<Item = (&RelPath, &Rules)> {
        self.build_files.iter()
    }

    /// Whether a directory has a BUILD file.
    pub fn has_build_file(&self, dir: &RelPath) -> bool {
        self.build_dirs.contains(dir)
    }

    pub fn set_visibility(&mut self, visibility: Visibility) {
        self.visibility = visibility;
    }

    /// The rules about who may depend on whom; empty where the repository does not use them.
    pub fn visibility(&self) -> &Visibility {
        &self.visibility
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
