//! All targets of a repository, generated ones included. How they came about is `load`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::{RulesCall, Value};
use crate::targets::address::Parts;
use crate::targets::kind::{Kind, Sources};
use crate::targets::visibility::Visibility;
use crate::targets::{Address, Files};

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

/// Of targets, in a list that is sorted by address.
pub type Places = FxHashMap<Address, u32>;

#[derive(Clone, Debug, Default)]
pub struct TargetGraph {
    /// Sorted by address.
    targets: Vec<Target>,
    /// Generators with what they would have generated, were it not there already: a file of requirements that several
    /// parametrizations of one generator share.
    shared: Vec<(Address, Address)>,
    /// Made when first asked for, as those below are: a list of targets needs none of them.
    places: OnceLock<Arc<Places>>,
    generated: OnceLock<FxHashMap<Address, Vec<Address>>>,
    links: OnceLock<Links>,
    files: Files,
    build_files: BTreeMap<RelPath, Rules>,
    build_dirs: BTreeSet<RelPath>,
    visibility: Visibility,
    default_resolve: Option<String>,
}

/// Who belongs to what. Every list is sorted.
#[derive(Clone, Debug, Default)]
struct Links {
    owners: FxHashMap<RelPath, Vec<Address>>,
    started: FxHashMap<RelPath, Vec<Address>>,
}

/// The visibility rules of one BUILD file, unread.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub dependencies: Vec<RulesCall>,
    pub dependents: Vec<RulesCall>,
}

impl TargetGraph {
    /// Of two targets with the same address the first stays.
    pub fn insert(&mut self, target: Target) {
        self.forget_what_follows();
        match self.place(&target.address) {
            Ok(_) => self.shared.extend(target.generator.map(|generator| (generator, target.address))),
            Err(place) => self.targets.insert(place, target),
        }
    }

    /// All targets at once: much cheaper than one by one. Of two with the same address the first stays.
    pub fn fill(&mut self, mut targets: Vec<Target>) {
        self.forget_what_follows();
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

    fn forget_what_follows(&mut self) {
        (self.places, self.generated, self.links) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
    }

    fn place(&self, address: &Address) -> Result<usize, usize> {
        self.targets.binary_search_by(|target| target.address.cmp(address))
    }

    fn links(&self) -> &Links {
        self.links.get_or_init(|| {
            let mut links = Links::default();
            for target in &self.targets {
                let address = || target.address.clone();
                target.sources.iter().for_each(|source| add(&mut links.owners, source, address()));
                target.entry_file().iter().for_each(|file| add(&mut links.started, file, address()));
            }
            links
        })
    }

    pub fn get(&self, address: &Address) -> Option<&Target> {
        self.places().get(address).map(|place| &self.targets[*place as usize])
    }

    /// The place of each target among `targets`.
    pub fn places(&self) -> &Arc<Places> {
        self.places.get_or_init(|| {
            Arc::new(self.targets.iter().zip(0..).map(|(target, place)| (target.address.clone(), place)).collect())
        })
    }

    /// Makes what most goals ask for. For another thread, while the first one goes on.
    pub fn look_ahead(&self) {
        self.places();
        self.generated();
    }

    /// Sorted by address.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter()
    }

    /// What a generator generated, sorted.
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
        self.links().owners.get(file).map_or(&[], Vec::as_slice)
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
        self.links().started.get(file).map_or(&[], Vec::as_slice)
    }

    pub fn set_default_resolve(&mut self, resolve: &str) {
        self.default_resolve = Some(resolve.to_owned());
    }

    /// The value that a field has in targets which do not set it, as far as settings decide it.
    pub fn default_of(&self, field: &str) -> Option<&str> {
        self.default_resolve.as_deref().filter(|_| matches!(field, "resolve" | "python_resolve"))
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
        let first = Parts { parameters: BTreeMap::new(), ..address.parts() }.into();
        let same = |other: &Address| {
            other.dir == address.dir
                && other.file == address.file
                && other.name == address.name
                && other.generated == address.generated
        };
        let all = self.from(&first).take_while(|target| same(&target.address));
        let has =
            |other: &Address| address.parameters.iter().all(|(key, value)| other.parameters.get(key) == Some(value));
        all.filter(|target| has(&target.address)).collect()
    }

    /// The targets written or generated under a BUILD directory, sorted.
    pub fn in_build_dir(&self, dir: &RelPath) -> impl Iterator<Item = &Target> {
        let first = Address::of(dir, "");
        self.from(&first).take_while(move |target| target.address.dir == *dir)
    }

    /// Targets from this address on, whether it exists or not.
    fn from<'g>(&'g self, first: &Address) -> impl Iterator<Item = &'g Target> + use<'g> {
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
