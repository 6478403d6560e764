//! The graph of all targets of a repository, including generated ones, with indexes by address and by file. It is built
//! in `load`. Inferred dependencies are in `inference`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::{RulesCall, Source, Value, locate};
use crate::targets::address::Parts;
use crate::targets::kind::{Kind, Sources};
use crate::targets::visibility::Visibility;
use crate::targets::{Address, Files};

/// A target: its type, fields and source files.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its unique name.
    pub address: Address,
    /// The target type, as BUILD files spell it: `python_test`.
    pub kind: String,
    /// The fields that are set, after `__defaults__`, overrides and parametrization. Absent fields have their default
    /// value.
    pub fields: BTreeMap<String, Value>,
    /// The source files, from the build root, sorted. A target that is generated from a file has exactly one.
    pub sources: Vec<RelPath>,
    /// The target from which this one was generated.
    pub generator: Option<Address>,
    /// The BUILD file that declares it or its generator.
    pub build_file: RelPath,
    /// The position of the declaration in the BUILD file.
    pub place: Place,
}

impl Target {
    /// The file in the field `entry_point` or `handler`, if the field names a file.
    pub fn entry_file(&self) -> Option<RelPath> {
        let field = ["entry_point", "handler"].into_iter().find_map(|field| self.text(field))?;
        let path = field.split(':').next().filter(|path| path.ends_with(".py"))?;
        self.address.dir.push(path).ok()
    }

    /// The position of a string in the declaration, given the text of the BUILD file; that of the whole declaration if the
    /// text does not contain the string there.
    pub fn place_of(&self, build_file_text: Option<String>, strings: &[&str]) -> Place {
        let source = build_file_text.and_then(|text| Source::parse(&self.build_file, text).ok());
        let places = source.into_iter().flat_map(|source| {
            strings.iter().filter_map(|text| locate(&source, self.place, &[text])).collect::<Vec<_>>()
        });
        places.into_iter().next().unwrap_or(self.place)
    }

    /// The globs of its sources, relative to the directory of the BUILD file: explicit ones, or the defaults of its
    /// type.
    pub fn globs(&self) -> Vec<&str> {
        let Some(kind) = Kind::find(&self.kind) else { return Vec::new() };
        let written = match kind.sources {
            Sources::None => return Vec::new(),
            Sources::One => self.fields.get("source").filter(|source| **source != Value::None).map(|source| {
                // `http_source(…)` is a file outside this repository.
                source.as_str().into_iter().collect()
            }),
            Sources::Many => self.fields.get("sources").filter(|sources| **sources != Value::None).map(Value::strings),
        };
        written.unwrap_or_else(|| kind.default_sources.to_vec())
    }
}

/// Indexes of targets in the list that is sorted by address.
pub type TargetPositions = FxHashMap<Address, u32>;

/// All targets of a repository, its files and its visibility rules. Derived indexes are built on first use.
#[derive(Clone, Debug, Default)]
pub struct TargetGraph {
    /// Sorted by address.
    targets: Vec<Target>,
    /// Pairs of a generator and a target that another generator had already generated: several variants of a
    /// parametrized generator share the target of their requirements file.
    shared: Vec<(Address, Address)>,
    /// Built on first use, as the next two: goals that only list targets need none of them.
    positions: OnceLock<Arc<TargetPositions>>,
    generated: OnceLock<FxHashMap<Address, Vec<Address>>>,
    file_index: OnceLock<FileIndex>,
    files: Files,
    build_files: BTreeMap<RelPath, Rules>,
    build_dirs: BTreeSet<RelPath>,
    visibility: Visibility,
    default_resolve: Option<String>,
}

/// Targets by file. Every list is sorted.
#[derive(Clone, Debug, Default)]
struct FileIndex {
    owners: FxHashMap<RelPath, Vec<Address>>,
    by_entry_file: FxHashMap<RelPath, Vec<Address>>,
}

/// The calls in one BUILD file that declare visibility rules, not yet parsed.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Calls of `__dependencies_rules__`.
    pub dependencies: Vec<RulesCall>,
    /// Calls of `__dependents_rules__`.
    pub dependents: Vec<RulesCall>,
}

impl TargetGraph {
    /// Inserts a target. A target with an address that is already present is dropped.
    pub fn insert(&mut self, target: Target) {
        self.clear_indexes();
        match self.place(&target.address) {
            Ok(_) => self.shared.extend(target.generator.map(|generator| (generator, target.address))),
            Err(place) => self.targets.insert(place, target),
        }
    }

    /// Inserts many targets, which is much faster than one by one. The first of several targets with the
    /// same address is retained.
    pub fn insert_all(&mut self, mut targets: Vec<Target>) {
        self.clear_indexes();
        self.targets.append(&mut targets);
        self.targets.par_sort_by(|left, right| left.address.cmp(&right.address));
        let shared = &mut self.shared;
        self.targets.dedup_by(|target, first| {
            let is_known = target.address == first.address;
            if is_known {
                shared.extend(target.generator.take().map(|generator| (generator, target.address.clone())));
            }
            is_known
        });
    }

    fn clear_indexes(&mut self) {
        (self.positions, self.generated, self.file_index) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
    }

    fn place(&self, address: &Address) -> Result<usize, usize> {
        self.targets.binary_search_by(|target| target.address.cmp(address))
    }

    fn file_index(&self) -> &FileIndex {
        self.file_index.get_or_init(|| {
            let mut file_index = FileIndex::default();
            for target in &self.targets {
                let address = || target.address.clone();
                target.sources.iter().for_each(|source| add(&mut file_index.owners, source, address()));
                target.entry_file().iter().for_each(|file| add(&mut file_index.by_entry_file, file, address()));
            }
            file_index
        })
    }

    /// The target with this address.
    pub fn get(&self, address: &Address) -> Option<&Target> {
        self.positions().get(address).map(|place| &self.targets[*place as usize])
    }

    /// The index of each target in `targets`.
    pub fn positions(&self) -> &Arc<TargetPositions> {
        self.positions.get_or_init(|| {
            Arc::new(self.targets.iter().zip(0..).map(|(target, place)| (target.address.clone(), place)).collect())
        })
    }

    /// Builds the indexes that most goals use. Meant to run in another thread while the main thread continues.
    pub fn build_indexes(&self) {
        self.positions();
        self.generated();
    }

    /// All targets, sorted by address.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter()
    }

    /// The targets that a generator generated, sorted.
    pub fn generated_by(&self, generator: &Address) -> &[Address] {
        self.generated().get(generator).map_or(&[], Vec::as_slice)
    }

    fn generated(&self) -> &FxHashMap<Address, Vec<Address>> {
        self.generated.get_or_init(|| {
            let mut generated = FxHashMap::default();
            let generators =
                self.targets.iter().filter_map(|target| Some((target.generator.as_ref()?, &target.address)));
            generators.for_each(|(generator, target)| add(&mut generated, generator, target.clone()));
            for (generator, target) in &self.shared {
                add(&mut generated, generator, target.clone());
                generated.get_mut(generator).into_iter().for_each(|generated| generated.sort());
            }
            generated
        })
    }

    /// Every target that has this file as a source, generators included.
    pub fn owners(&self, file: &RelPath) -> &[Address] {
        self.file_index().owners.get(file).map_or(&[], Vec::as_slice)
    }

    /// A graph of a repository's files, without targets.
    pub fn from_files(files: Files) -> TargetGraph {
        TargetGraph { files, ..TargetGraph::default() }
    }

    /// Every file of the repository that is not ignored.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The targets whose entry point is in this file.
    pub fn entry_point_targets(&self, file: &RelPath) -> &[Address] {
        self.file_index().by_entry_file.get(file).map_or(&[], Vec::as_slice)
    }

    /// Sets the resolve of targets that do not set one.
    pub fn set_default_resolve(&mut self, resolve: &str) {
        self.default_resolve = Some(resolve.to_owned());
    }

    /// The default value of a field, if a setting defines it.
    pub fn default_value(&self, field: &str) -> Option<&str> {
        self.default_resolve.as_deref().filter(|_| matches!(field, "resolve" | "python_resolve"))
    }

    /// Records a BUILD file and its visibility rules.
    pub fn insert_build_file(&mut self, file: RelPath, rules: Rules) {
        self.build_dirs.insert(file.parent().unwrap_or_default());
        self.build_files.insert(file, rules);
    }

    /// All BUILD files, including those with errors, with their visibility rules.
    pub fn build_files(&self) -> impl Iterator<Item = (&RelPath, &Rules)> {
        self.build_files.iter()
    }

    /// Whether a directory has a BUILD file.
    pub fn has_build_file(&self, dir: &RelPath) -> bool {
        self.build_dirs.contains(dir)
    }

    /// Sets the parsed visibility rules.
    pub fn set_visibility(&mut self, visibility: Visibility) {
        self.visibility = visibility;
    }

    /// The visibility rules. Empty if the repository does not use them.
    pub fn visibility(&self) -> &Visibility {
        &self.visibility
    }

    /// Whether the path is a BUILD file.
    pub fn is_build_file(&self, file: &RelPath) -> bool {
        self.build_files.contains_key(file)
    }

    /// The target with this address, or all its parametrized variants that have at least the parameters of the address.
    pub fn parametrizations(&self, address: &Address) -> Vec<&Target> {
        if let Some(target) = self.get(address) {
            return vec![target];
        }
        let first = Parts { parameters: BTreeMap::new(), ..address.parts() }.into();
        let same = |other: &Address| {
            other.dir == address.dir
                && other.file == address.file
                && other.name == address.name
                && other.generated == address.generated
        };
        let all = self.targets_from(&first).take_while(|target| same(&target.address));
        let has =
            |other: &Address| address.parameters.iter().all(|(key, value)| other.parameters.get(key) == Some(value));
        all.filter(|target| has(&target.address)).collect()
    }

    /// The targets that the BUILD files of a directory declare, including generated ones, sorted.
    pub fn in_build_dir(&self, dir: &RelPath) -> impl Iterator<Item = &Target> {
        let first = Address::new(dir, "");
        self.targets_from(&first).take_while(move |target| target.address.dir == *dir)
    }

    /// The targets from this address on, in order. The address need not exist.
    fn targets_from<'g>(&'g self, first: &Address) -> impl Iterator<Item = &'g Target> + use<'g> {
        let place = self.targets.partition_point(|target| target.address < *first);
        self.targets[place..].iter()
    }
}

fn add<K: Clone + Eq + std::hash::Hash>(lists: &mut FxHashMap<K, Vec<Address>>, key: &K, address: Address) {
    match lists.get_mut(key) {
        Some(list) => list.push(address),
        None => drop(lists.insert(key.clone(), vec![address])),
    }
}
