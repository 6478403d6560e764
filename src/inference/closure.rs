//! Closures of targets: the files, requirements and import path that a sandbox needs for them. Inference itself is done
//! in `infer`. A closure holds references, because a run may compute thousands of closures with thousands of files each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::base::RelPath;
use crate::inference::dependencies::Dependencies;
use crate::inference::generated::{Generated, generated, import_roots};
use crate::inference::module_map::{is_python_source, resolve_of};
use crate::inference::settings::InferenceSettings;
use crate::inference::source_root::SourceRoots;
use crate::inference::target_index::TargetId;
use crate::targets::kind;
use crate::targets::{Address, Files, Target, TargetGraph};

/// Computes closures in one graph. Built once; each query is then cheap. Knows the targets whose dependencies were
/// inferred.
pub struct Closures<'a> {
    graph: &'a TargetGraph,
    dependencies: &'a Dependencies,
    settings: &'a InferenceSettings,
    /// Sorted.
    files: Vec<RelPath>,
    /// Sorted.
    source_roots: Vec<RelPath>,
    /// By target id.
    contributions: Vec<Contribution<'a>>,
}

/// What some targets need at run time. All lists are sorted and without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure<'a> {
    /// Sources, resources and files, and every `__init__.py` above a Python source, with or without an owner.
    pub files: Vec<&'a RelPath>,
    /// The `file` and `relocated_files` targets.
    pub loose: Vec<&'a Address>,
    /// The `python_requirement` targets.
    pub requirements: Vec<&'a Address>,
    /// The requirement strings of these targets: `requests>=2; python_version > "3"`.
    pub requirement_texts: BTreeSet<&'a str>,
    /// The source roots to be put on the import path.
    pub source_roots: Vec<&'a RelPath>,
    /// The resolves of all Python targets. Packages of several resolves cannot be installed together.
    pub resolves: BTreeSet<&'a str>,
    /// `python_distribution` targets among the dependencies, to be built and installed rather than put on the path.
    pub distributions: Vec<&'a Address>,
    /// Packages that the root targets need as built files: `runtime_package_dependencies` and the like.
    pub packages: Vec<&'a Address>,
    /// Targets whose files are generated: outputs of commands, code from interface definitions, downloads. `generated` says what
    /// the files of each are.
    pub generated: Vec<&'a Address>,
    /// The files of `relocated_files` targets: original path, new path.
    pub relocated: BTreeSet<(&'a RelPath, RelPath)>,
}

/// How far a closure follows dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Follow all dependencies.
    All,
    /// Stop at packages other than the roots: a package does not contain the contents of another one.
    UpToPackages,
}

/// What one target contributes to closures.
#[derive(Default)]
struct Contribution<'a> {
    target: Option<&'a Target>,
    /// Indexes in `Closures::files`.
    files: Vec<usize>,
    /// Indexes in `Closures::source_roots`.
    source_roots: Vec<usize>,
    /// Whether its files are generated.
    is_generated: bool,
}

impl<'a> Closures<'a> {
    /// Collects the files and source roots of all targets in `dependencies`.
    pub fn new(
        graph: &'a TargetGraph,
        dependencies: &'a Dependencies,
        settings: &'a InferenceSettings,
        roots: &SourceRoots,
    ) -> Closures<'a> {
        let known = graph.targets().filter_map(|target| Some((dependencies.inferred_id(&target.address)?, target)));
        let known: Vec<(TargetId, &Target)> = known.collect();
        let with_files: Vec<&Target> =
            known.iter().map(|(_, target)| *target).filter(|target| contributes_files(target)).collect();
        let inits = init_files_by_dir(&with_files, graph.files());
        let sources = with_files.iter().flat_map(|target| &target.sources);
        let all: BTreeSet<&RelPath> = sources.chain(inits.values().flatten()).collect();
        let files: Vec<RelPath> = all.into_iter().cloned().collect();
        let indexes: HashMap<&RelPath, usize> = files.iter().zip(0..).collect();
        let root_of_dir = source_roots_by_dir(&with_files, roots);
        let generating =
            known.iter().filter_map(|(id, target)| Some((*id, *target, generated(graph, target, settings)?)));
        let roots_of_generated: HashMap<TargetId, BTreeSet<RelPath>> = generating
            .map(|(id, target, kind)| {
                (id, if kind == Generated::File { BTreeSet::new() } else { import_roots(graph, target, roots) })
            })
            .collect();
        let distinct: BTreeSet<&RelPath> =
            root_of_dir.values().flatten().chain(roots_of_generated.values().flatten()).collect();
        let source_roots: Vec<RelPath> = distinct.into_iter().cloned().collect();
        let index_of_root = |root: &RelPath| source_roots.binary_search(root).ok();
        let mut contributions: Vec<Contribution<'a>> = Vec::new();
        contributions.resize_with(dependencies.len(), Contribution::default);
        for (id, target) in known {
            let contribution = &mut contributions[id as usize];
            contribution.target = Some(target);
            if let Some(roots) = roots_of_generated.get(&id) {
                contribution.is_generated = true;
                contribution.source_roots.extend(roots.iter().filter_map(index_of_root));
            }
            if !contributes_files(target) {
                continue;
            }
            for source in &target.sources {
                let dir = source.parent().unwrap_or_default();
                let above = inits.get(&dir).into_iter().flatten().filter(|_| is_python(source));
                contribution.files.extend(above.chain([source]).map(|file| indexes[file]));
                let root = root_of_dir.get(&dir).and_then(Option::as_ref).filter(|_| target.kind != "file");
                contribution.source_roots.extend(root.and_then(index_of_root));
            }
        }
        Closures { graph, dependencies, settings, files, source_roots, contributions }
    }

    /// The settings of inference.
    pub fn settings(&self) -> &'a InferenceSettings {
        self.settings
    }

    /// The closure of these targets, the targets themselves included. Unknown addresses are ignored.
    pub fn compute<'r>(&self, roots: impl IntoIterator<Item = &'r Address>, follow: Follow) -> Closure<'_> {
        let roots: Vec<TargetId> = roots.into_iter().filter_map(|root| self.dependencies.id(root)).collect();
        let is_followed = |id| follow == Follow::All || roots.contains(&id) || !self.target(id).is_some_and(is_package);
        let mut members = self.dependencies.reachable(&roots, is_followed);
        members.extend(&roots);
        members.sort_unstable();
        members.dedup();
        let mut closure = Closure::default();
        let mut files = vec![false; self.files.len()];
        let mut source_roots = vec![false; self.source_roots.len()];
        for contribution in members.iter().map(|id| &self.contributions[*id as usize]) {
            contribution.files.iter().for_each(|index| files[*index] = true);
            contribution.source_roots.iter().for_each(|index| source_roots[*index] = true);
        }
        closure.files = select(&self.files, &files);
        closure.source_roots = select(&self.source_roots, &source_roots);
        for id in &members {
            let Some(target) = self.target(*id) else { continue };
            match target.kind.as_str() {
                kind::PYTHON_REQUIREMENT => {
                    closure.requirements.push(&target.address);
                    closure.requirement_texts.extend(target.strings("requirements"));
                }
                "python_distribution" if !roots.contains(id) => closure.distributions.push(&target.address),
                "relocated_files" => {
                    closure.relocated.extend(self.files_of(target));
                    closure.loose.push(&target.address);
                }
                "file" => closure.loose.push(&target.address),
                _ => {}
            }
            if self.contributions[*id as usize].is_generated {
                closure.generated.push(&target.address);
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

    /// The files of these targets alone, with every `__init__.py` above a Python source; sorted.
    pub fn own_files<'r>(&self, targets: impl IntoIterator<Item = &'r Address>) -> Vec<&RelPath> {
        let mut files = vec![false; self.files.len()];
        for id in targets.into_iter().filter_map(|address| self.dependencies.id(address)) {
            self.contributions[id as usize].files.iter().for_each(|index| files[*index] = true);
        }
        select(&self.files, &files)
    }

    /// The files of a `file` or `relocated_files` target, with their paths in sandboxes.
    pub fn files_of(&self, target: &Target) -> Vec<(&'a RelPath, RelPath)> {
        self.outputs(target, 0)
    }

    /// The files that a target puts into sandboxes, with their paths there. Files that `relocated_files` moves may be moved
    /// again.
    fn outputs(&self, target: &Target, depth: usize) -> Vec<(&'a RelPath, RelPath)> {
        let Some(target) = self.graph.get(&target.address) else { return Vec::new() };
        if target.kind != "relocated_files" {
            return target.sources.iter().map(|file| (file, file.clone())).collect();
        }
        if depth > MAX_RELOCATIONS {
            return Vec::new();
        }
        let dir = |field| {
            let text = target.text(field).unwrap_or_default();
            RelPath::root().resolve(text).unwrap_or_default()
        };
        let (from, to) = (dir("src"), dir("dest"));
        let originals = self.dependencies.special(&target.address).into_iter();
        let originals = originals.filter_map(|original| self.graph.get(original));
        let files = originals.flat_map(|original| self.outputs(original, depth + 1));
        files.filter_map(|(file, path)| Some((file, to.join(&path.strip_prefix(&from)?)))).collect()
    }

    fn target(&self, id: TargetId) -> Option<&'a Target> {
        self.contributions[id as usize].target
    }

    fn is_package(&self, address: &Address) -> bool {
        self.graph.get(address).is_some_and(is_package)
    }
}

/// Limit on `relocated_files` targets that move each other's files; a cycle ends there.
const MAX_RELOCATIONS: usize = 16;

/// The paths whose flag is set.
fn select<'a>(paths: &'a [RelPath], flags: &[bool]) -> Vec<&'a RelPath> {
    paths.iter().zip(flags).filter(|(_, flag)| **flag).map(|(path, _)| path).collect()
}

/// Whether the target's sources are put into sandboxes.
fn contributes_files(target: &Target) -> bool {
    is_python_source(target) || matches!(target.kind.as_str(), "resource" | "file")
}

fn is_package(target: &Target) -> bool {
    matches!(target.kind.as_str(), kind::PEX_BINARY | kind::PYTHON_DISTRIBUTION | kind::ARCHIVE | kind::DOCKER_IMAGE)
}

fn is_python(file: &RelPath) -> bool {
    matches!(file.extension(), Some("py" | "pyi"))
}

/// For each directory with Python sources, the `__init__.py` files in it and above it.
fn init_files_by_dir(targets: &[&Target], files: &Files) -> BTreeMap<RelPath, Vec<RelPath>> {
    let sources = targets.iter().flat_map(|target| &target.sources).filter(|source| is_python(source));
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

fn source_roots_by_dir(targets: &[&Target], roots: &SourceRoots) -> HashMap<RelPath, Option<RelPath>> {
    let mut by_dir = HashMap::new();
    for dir in targets.iter().flat_map(|target| &target.sources).filter_map(RelPath::parent) {
        by_dir.entry(dir).or_insert_with_key(|dir| roots.find_for_dir(dir));
    }
    by_dir
}
