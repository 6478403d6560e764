//! The `dependencies` field: written addresses to targets, with `!` and `!!`. What is inferred is `python`'s.

use crate::base::{RelPath, text};
use crate::build_file::Value;
use crate::targets::address::{self, Written};
use crate::targets::requirements::normalized;
use crate::targets::{Address, Kind, Target, TargetGraph};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("`{written}` is not an address")]
    Address { written: String, source: address::ParseError },
    #[error("`{written}` names no target: {why}")]
    Unknown { written: String, why: String, hint: Option<String> },
}

impl Error {
    /// The same error, about what the user wrote.
    pub fn about(self, text: &str) -> Error {
        let written = text.to_owned();
        match self {
            Error::Address { source, .. } => Error::Address { written, source },
            Error::Unknown { why, hint, .. } => Error::Unknown { written, why, hint },
        }
    }

    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Address { .. } => None,
            Error::Unknown { hint, .. } => hint.as_deref(),
        }
    }
}

/// What a target says about its dependencies. A generator stands for what it generates.
#[derive(Debug, Default)]
pub struct Explicit {
    pub include: Vec<Address>,
    /// `!x`: never a direct dependency of this target.
    pub exclude: Vec<Address>,
    /// `!!x`: nowhere in the closure of this target.
    pub exclude_transitive: Vec<Address>,
    pub errors: Vec<Error>,
}

/// Reads the `dependencies` field of a target.
pub fn explicit(graph: &TargetGraph, target: &Target) -> Explicit {
    explicit_in(graph, target, "dependencies")
}

/// Reads any field that holds addresses as `dependencies` does: `packages`, `files`, `runtime_package_dependencies`.
pub fn explicit_in(graph: &TargetGraph, target: &Target, field: &str) -> Explicit {
    let mut explicit = Explicit::default();
    for written in target.fields.get(field).map(Value::strings).unwrap_or_default() {
        let (list, written) = match (written.strip_prefix("!!"), written.strip_prefix('!')) {
            (Some(written), _) => (&mut explicit.exclude_transitive, written),
            (None, Some(written)) => (&mut explicit.exclude, written),
            (None, None) => (&mut explicit.include, written),
        };
        match resolve(graph, target, written) {
            Ok(addresses) => list.extend(addresses),
            Err(_) if is_missing_lockfile(graph, written) => {}
            Err(error) => explicit.errors.push(error),
        }
    }
    for list in [&mut explicit.include, &mut explicit.exclude, &mut explicit.exclude_transitive] {
        *list = list.iter().flat_map(|address| expanded(graph, address)).collect();
        list.sort();
        list.dedup();
    }
    explicit
}

/// Whether this is the address of a lockfile that is yet to be made: loading has said so, once.
fn is_missing_lockfile(graph: &TargetGraph, written: &str) -> bool {
    let Ok(written) = Written::parse(written, &RelPath::root()) else { return false };
    let (Some(dir), Some(name)) = (written.path.parent(), written.name) else { return false };
    let lockfile = graph.get(&Address::of(&dir, &name));
    lockfile.is_some_and(|target| target.kind == "_lockfiles" && target.sources.is_empty())
}

/// What a generator generated; any other target is itself.
pub fn expanded(graph: &TargetGraph, address: &Address) -> Vec<Address> {
    match graph.get(address).and_then(|target| Kind::of(&target.kind)).is_some_and(Kind::is_generator) {
        true => graph.generated_by(address).to_vec(),
        false => vec![address.clone()],
    }
}

/// One written dependency of a target. Of a parametrized target it is the one whose parameters are the values that the
/// asking target has itself.
pub fn resolve(graph: &TargetGraph, from: &Target, written: &str) -> Result<Vec<Address>, Error> {
    let found = named(graph, written, &from.address.dir)?;
    if found.len() < 2 {
        return Ok(found);
    }
    let fits = |address: &&Address| {
        address.parameters.iter().all(|(parameter, value)| {
            let of = |parameter: &str| {
                let own = from.address.parameters.get(parameter).map(String::as_str);
                own.or_else(|| from.fields.get(parameter).and_then(Value::as_str))
            };
            let own = of(parameter).or_else(|| of(other_name(parameter)));
            own.or_else(|| graph.default_of(parameter)).is_none_or(|own| own == value)
        })
    };
    let fitting: Vec<Address> = found.iter().filter(fits).cloned().collect();
    Ok(if fitting.is_empty() { found } else { fitting })
}

/// What is no Python itself calls the resolve of the Python that is made of it otherwise.
fn other_name(parameter: &str) -> &str {
    match parameter {
        "resolve" => "python_resolve",
        "python_resolve" => "resolve",
        other => other,
    }
}

/// The targets of a written address: several when it leaves parameters open.
pub fn named(graph: &TargetGraph, text: &str, dir: &RelPath) -> Result<Vec<Address>, Error> {
    let refuse = |source| Error::Address { written: text.to_owned(), source };
    let written = Written::parse(text, dir).map_err(refuse)?;
    let is_file = graph.files().contains(&written.path);
    let address = written.resolve(is_file).map_err(refuse)?;
    let found: Vec<Address> = graph.parametrizations(&address).iter().map(|target| target.address.clone()).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let found = near(graph, &address);
    if !found.is_empty() {
        return Ok(found);
    }
    Err(unknown(graph, text, &address, is_file))
}

/// The same generated name in another spelling; or, since a generator hands its parameters on, those that it generated.
fn near(graph: &TargetGraph, address: &Address) -> Vec<Address> {
    let generator = Address::of(&address.dir, &address.name);
    let generated = graph.generated_by(&generator).iter();
    let has_parameters =
        |other: &&Address| address.parameters.iter().all(|(key, value)| other.parameters.get(key) == Some(value));
    match (&address.generated, &address.file) {
        (Some(name), _) => {
            let name = normalized(name);
            let same = |other: &&Address| other.generated.as_ref().is_some_and(|other| normalized(other) == name);
            generated.filter(same).filter(has_parameters).cloned().collect()
        }
        (None, None) if !address.parameters.is_empty() => generated.filter(has_parameters).cloned().collect(),
        _ => Vec::new(),
    }
}

fn unknown(graph: &TargetGraph, written: &str, address: &Address, is_file: bool) -> Error {
    let written = written.to_owned();
    if !graph.files().is_dir(&address.dir) {
        let why = format!("there is no file or directory `{}`", address.dir);
        let dirs: Vec<String> = graph.build_files().filter_map(|(file, _)| Some(file.parent()?.to_string())).collect();
        let nearest = text::nearest(address.dir.as_str(), dirs.iter().map(String::as_str));
        return Error::Unknown { written, why, hint: nearest.map(|dir| format!("did you mean `{dir}`?")) };
    }
    if is_file {
        let file = address.file_path().unwrap_or_default();
        let owners: Vec<String> = graph.owners(&file).iter().map(Address::to_string).collect();
        let hint = (!owners.is_empty()).then(|| format!("the file belongs to {}", quoted(&owners)));
        return Error::Unknown { written, why: format!("no target `{}` has that file", address.name), hint };
    }
    let mut names: Vec<&str> = graph.in_build_dir(&address.dir).map(|target| target.address.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let (why, nearest) = match &address.generated {
        Some(generated) if names.contains(&address.name.as_str()) => {
            let generator = Address::of(&address.dir, &address.name);
            let known = graph.generated_by(&generator).iter().filter_map(|other| other.generated.as_deref());
            (format!("`{generator}` generates no `{generated}`"), text::nearest(generated, known).map(str::to_owned))
        }
        _ => {
            let why = format!("`{}` declares no target `{}`", address.dir, address.name);
            (why, text::nearest(&address.name, names.iter().copied()).map(str::to_owned))
        }
    };
    let names: Vec<String> = names.into_iter().map(|name| format!(":{name}")).collect();
    let hint = match nearest {
        Some(nearest) => Some(format!("did you mean `{nearest}`?")),
        None => (!names.is_empty()).then(|| format!("known there: {}", quoted(&names))),
    };
    Error::Unknown { written, why, hint }
}

fn quoted(words: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = words.iter().take(SHOWN).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    if words.len() > SHOWN {
        text.push_str(&format!(" and {} more", words.len() - SHOWN));
    }
    text
}
