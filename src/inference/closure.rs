//! What a sandbox needs for some targets: the files of all that they depend on, the requirements, the import path.
//! Answers are lists of references: a repository's tests ask a thousand times for thousands of files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::base::RelPath;
use crate::inference::definition::Language;
use crate::inference::dependencies::Dependencies;
use crate::inference::module_map::{is_python_source, resolve_of};
use crate::inference::numbered::Number;
use crate::inference::settings::Settings;
use crate::inference::source_root::SourceRoots;
use crate::targets::kind;
use crate::targets::{Address, Files, Target, TargetGraph, Value};

/// All closures of one graph, as far as its dependencies were asked for. Made once, asked often.
pub struct Closures<'a> {
    graph: &'a TargetGraph,
    dependencies: &'a Dependencies,
    settings: &'a Settings,
    /// Sorted.
    files: Vec<RelPath>,
    /// Sorted.
    source_roots: Vec<RelPath>,
    /// By the numbers of `dependencies`.
    holdings: Vec<Holding<'a>>,
}

/// Sorted lists without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure<'a> {
    /// Sources, resources and files, and every `__init__.py` above a Python source, owned or not.
    pub files: Vec<&'a RelPath>,
    /// The `python_requirement` targets.
    pub requirements: Vec<&'a Address>,
    /// What those ask for: `requests>=2; python_version > "3"`.
    pub requirement_texts: BTreeSet<&'a str>,
    /// What goes on the import path.
    pub source_roots: Vec<&'a RelPath>,
    /// The resolves of all that is Python: more than one cannot be installed together.
    pub resolves: BTreeSet<&'a str>,
    /// `python_distribution`s among the dependencies: to be built and installed rather than put on the path.
    pub distributions: Vec<&'a Address>,
    /// Interface definitions: Python would have to be generated from them, which nobody does yet.
    pub definitions: Vec<&'a Address>,
    /// What the roots themselves name to be built and put beside them: `runtime_package_dependencies` and the like.
    pub packages: Vec<&'a Address>,
    /// Files that `relocated_files` targets put elsewhere: from, to.
    pub relocated: BTreeSet<(&'a RelPath, RelPath)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    All,
    /// Not into what another package of the closure is made of: for packaging.
    UpToPackages,
}

#[derive(Default)]
struct Holding<'a> {
    target: Option<&'a Target>,
    /// Places in `files`.
    files: Vec<usize>,
    /// A place in `source_roots`.
    source_root: Option<usize>,
}

impl<'a> Closures<'a> {
    pub fn new(
        graph: &'a TargetGraph,
        dependencies: &'a Dependencies,
        settings: &'a Settings,
        roots: &SourceRoots,
    ) -> Closures<'a> {
        let known = graph.targets().filter_map(|target| Some((dependencies.known(&target.address)?, target)));
        let known: Vec<(Number, &Target)> = known.collect();
        let held: Vec<&Target> = known.iter().map(|(_, target)| *target).filter(|target| is_held(target)).collect();
        let inits = inits(&held, graph.files());
        let sources = held.iter().flat_map(|target| &target.sources);
        let all: BTreeSet<&RelPath> = sources.chain(inits.values().flatten()).collect();
        let files: Vec<RelPath> = all.into_iter().cloned().collect();
        let places: HashMap<&RelPath, usize> = files.iter().zip(0..).collect();
        let root_of_dir = source_roots_of_dirs(&held, roots);
        let distinct: BTreeSet<&RelPath> = root_of_dir.values().flatten().collect();
        let source_roots: Vec<RelPath> = distinct.into_iter().cloned().collect();
        let mut holdings: Vec<Holding<'a>> = Vec::new();
        holdings.resize_with(dependencies.len(), Holding::default);
        for (number, target) in known {
            let holding = &mut holdings[number as usize];
            holding.target = Some(target);
            if !is_held(target) {
                continue;
            }
            for source in &target.sources {
                let dir = source.parent().unwrap_or_default();
                let above = inits.get(&dir).into_iter().flatten().filter(|_| is_python(source));
                holding.files.extend(above.chain([source]).map(|file| places[file]));
                let root = root_of_dir.get(&dir).and_then(Option::as_ref).filter(|_| target.kind != kind::FILE);
                let place = root.and_then(|root| source_roots.binary_search(root).ok());
                holding.source_root = holding.source_root.or(place);
            }
        }
        Closures { graph, dependencies, settings, files, source_roots, holdings }
    }

    /// Of these targets and all that they need. Addresses that are no targets add nothing.
    pub fn of<'r>(&self, roots: impl IntoIterator<Item = &'r Address>, follow: Follow) -> Closure<'_> {
        let roots: Vec<Number> = roots.into_iter().filter_map(|root| self.dependencies.number(root)).collect();
        let is_followed =
            |number| follow == Follow::All || roots.contains(&number) || !self.target(number).is_some_and(is_package);
        let mut members = self.dependencies.reached(&roots, is_followed);
        members.extend(&roots);
        members.sort_unstable();
        members.dedup();
        let mut closure = Closure::default();
        let mut files = vec![false; self.files.len()];
        let mut source_roots = vec![false; self.source_roots.len()];
        for target in members.iter().map(|number| &self.holdings[*number as usize]) {
            target.files.iter().for_each(|place| files[*place] = true);
            target.source_root.iter().for_each(|place| source_roots[*place] = true);
        }
        closure.files = chosen(&self.files, &files);
        closure.source_roots = chosen(&self.source_roots, &source_roots);
        for number in &members {
            let Some(target) = self.target(*number) else { continue };
            match target.kind.as_str() {
                kind::PYTHON_REQUIREMENT => {
                    closure.requirements.push(&target.address);
                    closure
                        .requirement_texts
                        .extend(target.fields.get("requirements").map(Value::strings).unwrap_or_default());
                }
                kind::PYTHON_DISTRIBUTION if !roots.contains(number) => closure.distributions.push(&target.address),
                kind::RELOCATED_FILES => closure.relocated.extend(self.relocated(target)),
                _ => {}
            }
            if Language::of(target).is_some_and(|language| self.settings.generated(language).python) {
                closure.definitions.push(&target.address);
            }
            if is_python_source(target) || matches!(target.kind.as_str(), kind::PYTHON_REQUIREMENT | kind::PEX_BINARY) {
                closure.resolves.insert(resolve_of(target, self.settings));
            }
        }
        let packages = roots.iter().flat_map(|root| self.dependencies.special(self.dependencies.address(*root)));
        let packages: BTreeSet<&Address> = packages.filter(|address| self.is_package(address)).collect();
        closure.packages = packages.into_iter().collect();
        closure
    }

    fn relocated(&self, target: &Target) -> Vec<(&'a RelPath, RelPath)> {
        let dir = |field| {
            let text = target.fields.get(field).and_then(Value::as_str).unwrap_or_default();
            RelPath::parse(text).unwrap_or_default()
        };
        let (from, to) = (dir("src"), dir("dest"));
        let originals = self.dependencies.special(&target.address).into_iter();
        let files = originals.filter_map(|original| self.graph.get(original)).flat_map(|original| &original.sources);
        files.filter_map(|file| Some((file, to.join(&file.strip_prefix(&from)?)))).collect()
    }

    fn target(&self, number: Number) -> Option<&'a Target> {
        self.holdings[number as usize].target
    }

    fn is_package(&self, address: &Address) -> bool {
        self.graph.get(address).is_some_and(is_package)
    }
}

fn chosen<'a>(all: &'a [RelPath], chosen: &[bool]) -> Vec<&'a RelPath> {
    all.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(path, _)| path).collect()
}

/// Do the target's sources go into sandboxes?
fn is_held(target: &Target) -> bool {
    is_python_source(target) || matches!(target.kind.as_str(), kind::RESOURCE | kind::FILE)
}

fn is_package(target: &Target) -> bool {
    matches!(target.kind.as_str(), kind::PEX_BINARY | kind::PYTHON_DISTRIBUTION | kind::ARCHIVE | kind::DOCKER_IMAGE)
}

fn is_python(file: &RelPath) -> bool {
    matches!(file.extension(), Some("py" | "pyi"))
}

/// For each folder with Python sources, the `__init__.py` files in it and above it.
fn inits(held: &[&Target], files: &Files) -> BTreeMap<RelPath, Vec<RelPath>> {
    let sources = held.iter().flat_map(|target| &target.sources).filter(|source| is_python(source));
    let dirs: BTreeSet<RelPath> = sources.filter_map(RelPath::parent).collect();
    let mut own: BTreeMap<RelPath, Vec<RelPath>> = BTreeMap::new();
    for dir in dirs.iter().flat_map(|dir| std::iter::once(dir.clone()).chain(dir.ancestors())) {
        own.entry(dir).or_insert_with_key(|dir| {
            let inits = ["__init__.py", "__init__.pyi"].map(|name| dir.push(name).expect("a clean name"));
            inits.into_iter().filter(|init| files.contains(init)).collect()
        });
    }
    let all_above = |dir: &RelPath| {
        let dirs = std::iter::once(dir.clone()).chain(dir.ancestors());
        dirs.flat_map(|dir| own[&dir].to_vec()).collect()
    };
    dirs.iter().map(|dir| (dir.clone(), all_above(dir))).collect()
}

fn source_roots_of_dirs(held: &[&Target], roots: &SourceRoots) -> HashMap<RelPath, Option<RelPath>> {
    let mut of_dir = HashMap::new();
    for dir in held.iter().flat_map(|target| &target.sources).filter_map(RelPath::parent) {
        of_dir.entry(dir).or_insert_with_key(|dir| roots.of_dir(dir));
    }
    of_dir
}
