//! Resolves specs to targets or files. The syntax of specs is in `spec`, and filters are in `filter`.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::base::glob::Glob;
use crate::targets::address::Written;
use crate::targets::kind::Kind;
use crate::targets::spec::{self, Form, Spec};
use crate::targets::{Address, LoadError, Target, TargetGraph, dependencies};

/// A spec that cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spec is invalid.
    #[error(transparent)]
    Spec(#[from] spec::Error),
    /// There is no such file or directory.
    #[error("`{spec}` matches no file or directory")]
    Unmatched {
        /// The spec as written.
        spec: String,
        /// A similar path, or the reason why a file may not be found.
        hint: Option<String>,
    },
    /// There is no such target.
    #[error(transparent)]
    Target(dependencies::Error),
}

impl Error {
    /// A suggestion for the user, if there is one.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Spec(_) => None,
            Error::Unmatched { hint, .. } => hint.as_deref(),
            Error::Target(error) => error.hint(),
        }
    }
}

/// The selected targets, in list order. `specs` are those of a command line in the directory `cwd`, which is relative
/// to the build root; absolute specs begin with `root`.
pub fn select<S: AsRef<str>>(
    graph: &TargetGraph,
    specs: &[S],
    cwd: &RelPath,
    root: &str,
) -> Result<Vec<Address>, Error> {
    let specs = parse_all(graph, specs, cwd, root)?;
    let (excludes, includes): (Vec<&Spec>, Vec<&Spec>) = specs.iter().partition(|spec| spec.exclude);
    let mut selected = Vec::new();
    for spec in includes {
        selected.append(&mut match_targets(graph, spec)?);
    }
    let mut excluded = Vec::new();
    for spec in excludes {
        excluded.append(&mut match_targets(graph, spec)?);
    }
    selected.sort_by(Address::list_order);
    selected.dedup();
    excluded.sort();
    selected.retain(|address| excluded.binary_search(address).is_err());
    Ok(selected)
}

fn parse_all<S: AsRef<str>>(
    graph: &TargetGraph,
    specs: &[S],
    cwd: &RelPath,
    root: &str,
) -> Result<Vec<Spec>, spec::Error> {
    let exists = |path: &RelPath| graph.files().has_path(path);
    specs.iter().map(|spec| Spec::parse(spec.as_ref(), cwd, root, &exists)).collect()
}

/// The file that a spec names; `None` if it has another form or there is no such file.
pub fn named_file(graph: &TargetGraph, spec: &str, cwd: &RelPath, root: &str) -> Option<RelPath> {
    match parse_all(graph, &[spec], cwd, root).ok()?.pop()?.form {
        Form::Path(path) if graph.files().contains(&path) => Some(path),
        _ => None,
    }
}

/// Whether the error may affect what any of these specs selects.
pub fn is_affected_by<S: AsRef<str>>(
    graph: &TargetGraph,
    specs: &[S],
    cwd: &RelPath,
    root: &str,
    error: &LoadError,
) -> bool {
    let files = graph.files();
    let is_below = |path: &RelPath| error.dirs().any(|own| path.starts_with(own));
    let reaches = |spec: Spec| match &spec.form {
        Form::Recursive(dir) if !files.contains(dir) => {
            error.affects(dir) || error.dirs().any(|own| own.starts_with(dir))
        }
        Form::Siblings(path) | Form::Path(path) | Form::Recursive(path) => {
            let dir = if files.is_dir(path) { path.clone() } else { path.parent().unwrap_or_default() };
            // A file without an owner may be owned by a target that could not be loaded.
            error.affects(&dir) || (files.contains(path) && graph.owners(path).is_empty() && is_below(path))
        }
        Form::Address(text) => {
            Written::parse(text, &RelPath::root(), &|path| files.has_path(path)).is_ok_and(|written| {
                error.affects(&written.path) || (files.contains(&written.path) && is_below(&written.path))
            })
        }
        Form::Glob(glob) => {
            match_glob(graph, glob).iter().any(|path| error.affects(&path.parent().unwrap_or_default()))
        }
    };
    let exists = |path: &RelPath| files.has_path(path);
    let specs = specs.iter().filter_map(|spec| Spec::parse(spec.as_ref(), cwd, root, &exists).ok());
    specs.filter(|spec| !spec.exclude).any(reaches)
}

/// The directory of a BUILD file that a spec names and that does not exist.
pub fn dir_of_missing_build_file(
    graph: &TargetGraph,
    spec: &str,
    cwd: &RelPath,
    root: &str,
    is_build_file: &dyn Fn(&str) -> bool,
) -> Option<RelPath> {
    let spec = parse_all(graph, &[spec], cwd, root).ok()?.pop().filter(|spec| !spec.exclude)?;
    let Form::Path(path) = spec.form else { return None };
    let is_missing = !graph.files().has_path(&path) && path.file_name().is_some_and(is_build_file);
    path.parent().filter(|dir| is_missing && graph.files().is_dir(dir))
}

/// The selected files, sorted, for goals that process files rather than targets.
pub fn select_files<S: AsRef<str>>(
    graph: &TargetGraph,
    specs: &[S],
    cwd: &RelPath,
    root: &str,
) -> Result<Vec<RelPath>, Error> {
    let specs = parse_all(graph, specs, cwd, root)?;
    let mut selected = BTreeSet::new();
    for spec in specs.iter().filter(|spec| !spec.exclude) {
        selected.extend(match_files(graph, spec)?);
    }
    for spec in specs.iter().filter(|spec| spec.exclude) {
        for file in match_files(graph, spec)? {
            selected.remove(&file);
        }
    }
    Ok(selected.into_iter().collect())
}

fn match_targets(graph: &TargetGraph, spec: &Spec) -> Result<Vec<Address>, Error> {
    let all = |wanted: &dyn Fn(&Target) -> bool| {
        graph.targets().filter(|target| wanted(target)).map(|target| target.address.clone()).collect::<Vec<_>>()
    };
    let files = graph.files();
    match &spec.form {
        // Old documentation of Pants uses `file.py::` for a file.
        Form::Recursive(file) | Form::Siblings(file) | Form::Path(file) if files.contains(file) => {
            Ok(owners(graph, file))
        }
        Form::Recursive(dir) if dir.is_root() => Ok(all(&|_| true)),
        Form::Recursive(dir) if files.is_dir(dir) => Ok(all(&|target| target.address.resides_below(dir))),
        Form::Siblings(dir) if files.is_dir(dir) => Ok(all(&|target| target.address.resides_in(dir))),
        Form::Path(dir) if files.is_dir(dir) => {
            let is_generator = |target: &Target| Kind::find(&target.kind).is_some_and(Kind::is_generator);
            Ok(all(&|target| !is_generator(target) && target.address.resides_in(dir)))
        }
        Form::Recursive(_) | Form::Siblings(_) | Form::Path(_) => Err(unmatched(graph, spec)),
        Form::Address(text) => dependencies::find_targets(graph, text, &RelPath::root())
            .map_err(|error| Error::Target(error.with_spec(&spec.text))),
        Form::Glob(glob) => {
            let matching = match_glob(graph, glob);
            if matching.is_empty() {
                return Err(unmatched(graph, spec));
            }
            Ok(matching.iter().flat_map(|file| owners(graph, file)).collect())
        }
    }
}

fn match_files(graph: &TargetGraph, spec: &Spec) -> Result<Vec<RelPath>, Error> {
    let files = graph.files();
    match &spec.form {
        Form::Recursive(file) | Form::Siblings(file) | Form::Path(file) if files.contains(file) => {
            Ok(vec![file.clone()])
        }
        Form::Recursive(dir) if files.is_dir(dir) => Ok(files.below(dir).to_vec()),
        Form::Siblings(dir) | Form::Path(dir) if files.is_dir(dir) => Ok(files.in_dir(dir).cloned().collect()),
        Form::Recursive(_) | Form::Siblings(_) | Form::Path(_) => Err(unmatched(graph, spec)),
        Form::Address(_) => {
            let targets = match_targets(graph, spec)?;
            let sources = targets.iter().filter_map(|address| graph.get(address)).flat_map(|target| &target.sources);
            Ok(sources.cloned().collect())
        }
        Form::Glob(glob) => {
            let matching = match_glob(graph, glob);
            if matching.is_empty() { Err(unmatched(graph, spec)) } else { Ok(matching) }
        }
    }
}

fn match_glob(graph: &TargetGraph, glob: &Glob) -> Vec<RelPath> {
    graph.files().iter().filter(|file| glob.matches(file.as_str())).cloned().collect()
}

/// The targets that a file selects: those that own it, without their generators, and those whose entry point it is.
pub fn owners(graph: &TargetGraph, file: &RelPath) -> Vec<Address> {
    let is_generator = |address: &&Address| {
        let kind = graph.get(address).and_then(|target| Kind::find(&target.kind));
        kind.is_some_and(Kind::is_generator)
    };
    let (generators, mut found): (Vec<&Address>, Vec<&Address>) = graph.owners(file).iter().partition(is_generator);
    if found.is_empty() {
        // For instance, a file of requirements whose generator generates nothing.
        found = generators;
    }
    found.into_iter().chain(graph.entry_point_targets(file)).cloned().collect()
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
        None => "files that `.gitignore` or `[GLOBAL].pants_ignore` excludes cannot be selected".to_owned(),
    };
    Error::Unmatched { spec: spec.text.clone(), hint: Some(hint) }
}
