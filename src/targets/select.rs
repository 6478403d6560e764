//! Specs to addresses: which targets a command line means.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::base::glob::Glob;
use crate::targets::address::Written;
use crate::targets::kind::Kind;
use crate::targets::spec::{self, Form, Spec};
use crate::targets::{Address, Broken, Target, TargetGraph, dependencies};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Spec(#[from] spec::Error),
    #[error("`{spec}` matches no file or directory")]
    Unmatched { spec: String, hint: Option<String> },
    #[error(transparent)]
    Target(dependencies::Error),
}

impl Error {
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Spec(_) => None,
            Error::Unmatched { hint, .. } => hint.as_deref(),
            Error::Target(error) => error.hint(),
        }
    }
}

/// The selected targets, in the order in which lists are printed. `specs` as on a command line run in `cwd`; absolute
/// ones begin with `root`.
pub fn select<S: AsRef<str>>(
    graph: &TargetGraph,
    specs: &[S],
    cwd: &RelPath,
    root: &str,
) -> Result<Vec<Address>, Error> {
    let specs = specs.iter().map(|spec| Spec::parse(spec.as_ref(), cwd, root)).collect::<Result<Vec<_>, _>>()?;
    let (excludes, includes): (Vec<&Spec>, Vec<&Spec>) = specs.iter().partition(|spec| spec.exclude);
    let mut selected = Vec::new();
    for spec in includes {
        selected.append(&mut matched(graph, spec)?);
    }
    let mut excluded = Vec::new();
    for spec in excludes {
        excluded.append(&mut matched(graph, spec)?);
    }
    selected.sort_by(Address::list_order);
    selected.dedup();
    excluded.sort();
    selected.retain(|address| excluded.binary_search(address).is_err());
    Ok(selected)
}

/// Whether any of these specs selects from a directory whose BUILD file is broken.
pub fn looks_into<S: AsRef<str>>(graph: &TargetGraph, specs: &[S], cwd: &RelPath, root: &str, broken: &Broken) -> bool {
    let files = graph.files();
    let is_below = |path: &RelPath| broken.dirs().any(|own| path.starts_with(own));
    let reaches = |spec: Spec| match &spec.form {
        Form::Recursive(dir) if !files.contains(dir) => {
            broken.touches(dir) || broken.dirs().any(|own| own.starts_with(dir))
        }
        Form::Siblings(path) | Form::Path(path) | Form::Recursive(path) => {
            let dir = if files.is_dir(path) { path.clone() } else { path.parent().unwrap_or_default() };
            // A file that nobody owns may belong to what is not declared.
            broken.touches(&dir) || (files.contains(path) && graph.owners(path).is_empty() && is_below(path))
        }
        Form::Address(text) => Written::parse(text, &RelPath::root()).is_ok_and(|written| {
            broken.touches(&written.path) || (files.contains(&written.path) && is_below(&written.path))
        }),
        Form::Glob(glob) => globbed(graph, glob).iter().any(|path| broken.touches(&path.parent().unwrap_or_default())),
    };
    let specs = specs.iter().filter_map(|spec| Spec::parse(spec.as_ref(), cwd, root).ok());
    specs.filter(|spec| !spec.exclude).any(reaches)
}

/// The selected files, sorted: what goals that work on files take.
pub fn select_files<S: AsRef<str>>(
    graph: &TargetGraph,
    specs: &[S],
    cwd: &RelPath,
    root: &str,
) -> Result<Vec<RelPath>, Error> {
    let specs = specs.iter().map(|spec| Spec::parse(spec.as_ref(), cwd, root)).collect::<Result<Vec<_>, _>>()?;
    let mut selected = BTreeSet::new();
    for spec in specs.iter().filter(|spec| !spec.exclude) {
        selected.extend(matched_files(graph, spec)?);
    }
    for spec in specs.iter().filter(|spec| spec.exclude) {
        for file in matched_files(graph, spec)? {
            selected.remove(&file);
        }
    }
    Ok(selected.into_iter().collect())
}

fn matched(graph: &TargetGraph, spec: &Spec) -> Result<Vec<Address>, Error> {
    let all = |wanted: &dyn Fn(&Target) -> bool| {
        graph.targets().filter(|target| wanted(target)).map(|target| target.address.clone()).collect::<Vec<_>>()
    };
    let files = graph.files();
    match &spec.form {
        // `file.py::` stands in documents of old, and means the file.
        Form::Recursive(file) | Form::Siblings(file) | Form::Path(file) if files.contains(file) => {
            Ok(owners(graph, file))
        }
        Form::Recursive(dir) if dir.is_root() => Ok(all(&|_| true)),
        Form::Recursive(dir) if files.is_dir(dir) => Ok(all(&|target| target.address.resides_below(dir))),
        Form::Siblings(dir) if files.is_dir(dir) => Ok(all(&|target| target.address.resides_in(dir))),
        Form::Path(dir) if files.is_dir(dir) => {
            let is_generator = |target: &Target| Kind::of(&target.kind).is_some_and(Kind::is_generator);
            Ok(all(&|target| !is_generator(target) && target.address.resides_in(dir)))
        }
        Form::Recursive(_) | Form::Siblings(_) | Form::Path(_) => Err(unmatched(graph, spec)),
        Form::Address(text) => {
            dependencies::named(graph, text, &RelPath::root()).map_err(|error| Error::Target(error.about(&spec.text)))
        }
        Form::Glob(glob) => {
            let matching = globbed(graph, glob);
            if matching.is_empty() {
                return Err(unmatched(graph, spec));
            }
            Ok(matching.iter().flat_map(|file| owners(graph, file)).collect())
        }
    }
}

fn matched_files(graph: &TargetGraph, spec: &Spec) -> Result<Vec<RelPath>, Error> {
    let files = graph.files();
    match &spec.form {
        Form::Recursive(file) | Form::Siblings(file) | Form::Path(file) if files.contains(file) => {
            Ok(vec![file.clone()])
        }
        Form::Recursive(dir) if files.is_dir(dir) => Ok(files.below(dir).to_vec()),
        Form::Siblings(dir) | Form::Path(dir) if files.is_dir(dir) => Ok(files.in_dir(dir).cloned().collect()),
        Form::Recursive(_) | Form::Siblings(_) | Form::Path(_) => Err(unmatched(graph, spec)),
        Form::Address(_) => {
            let targets = matched(graph, spec)?;
            let sources = targets.iter().filter_map(|address| graph.get(address)).flat_map(|target| &target.sources);
            Ok(sources.cloned().collect())
        }
        Form::Glob(glob) => {
            let matching = globbed(graph, glob);
            if matching.is_empty() { Err(unmatched(graph, spec)) } else { Ok(matching) }
        }
    }
}

fn globbed(graph: &TargetGraph, glob: &Glob) -> Vec<RelPath> {
    graph.files().iter().filter(|file| glob.matches(file.as_str())).cloned().collect()
}

/// The targets that a file means: those made for it, and binaries that start with it. Not the generators of the former.
pub fn owners(graph: &TargetGraph, file: &RelPath) -> Vec<Address> {
    let is_generator = |address: &&Address| {
        let kind = graph.get(address).and_then(|target| Kind::of(&target.kind));
        kind.is_some_and(Kind::is_generator)
    };
    let (generators, mut found): (Vec<&Address>, Vec<&Address>) = graph.owners(file).iter().partition(is_generator);
    if found.is_empty() {
        // A requirements file of a generator that makes nothing of it, say.
        found = generators;
    }
    found.into_iter().chain(graph.started_by(file)).cloned().collect()
}

fn unmatched(graph: &TargetGraph, spec: &Spec) -> Error {
    let path = match &spec.form {
        Form::Recursive(path) | Form::Siblings(path) | Form::Path(path) => path.clone(),
        Form::Address(_) | Form::Glob(_) => return Error::Unmatched { spec: spec.text.clone(), hint: None },
    };
    let parent = path.ancestors().find(|dir| graph.files().is_dir(dir)).unwrap_or_default();
    let files = graph.files().in_dir(&parent).map(|file| file.as_str().to_owned());
    let dirs = graph.files().below(&parent).iter().filter_map(|file| file.parent());
    let known: BTreeSet<String> = files.chain(dirs.map(|dir| dir.as_str().to_owned())).collect();
    let nearest = crate::base::text::nearest(path.as_str(), known.iter().map(String::as_str));
    let hint = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "a file that `.gitignore` or `[GLOBAL].pants_ignore` excludes is not seen".to_owned(),
    };
    Error::Unmatched { spec: spec.text.clone(), hint: Some(hint) }
}
