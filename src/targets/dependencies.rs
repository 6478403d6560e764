//! The field `dependencies`: resolves written addresses to targets, including the exclusions `!` and `!!`. Inferred
//! dependencies are in `inference`.

use crate::base::{RelPath, text};
use crate::targets::address::{self, Written};
use crate::targets::requirements::normalized;
use crate::targets::{Address, Kind, Target, TargetGraph};

/// An address in a field or spec that does not resolve to a target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The text is not a valid address.
    #[error("`{written}` is not an address")]
    Address {
        /// The text as written.
        written: String,
        /// The cause.
        source: address::ParseError,
    },
    /// There is no target with this address.
    #[error("`{written}` does not name a target: {why}")]
    Unknown {
        /// The text as written.
        written: String,
        /// Which part of the address is unknown.
        why: String,
        /// A similar address, or the known ones.
        hint: Option<String>,
    },
}

impl Error {
    /// The same error with the text that the user wrote.
    pub fn with_spec(self, text: &str) -> Error {
        let written = text.to_owned();
        match self {
            Error::Address { source, .. } => Error::Address { written, source },
            Error::Unknown { why, hint, .. } => Error::Unknown { written, why, hint },
        }
    }

    /// The text as the user wrote it, without `!`.
    pub fn written(&self) -> &str {
        match self {
            Error::Address { written, .. } | Error::Unknown { written, .. } => written,
        }
    }

    /// A suggestion for the user, if there is one.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Address { .. } => None,
            Error::Unknown { hint, .. } => hint.as_deref(),
        }
    }
}

/// The explicit dependencies of a target. Generators are replaced by the targets that they generate.
#[derive(Debug, Default)]
pub struct Explicit {
    /// Dependencies.
    pub include: Vec<Address>,
    /// `!x`: excluded from the direct dependencies of this target.
    pub exclude: Vec<Address>,
    /// `!!x`: excluded from the transitive dependencies of this target.
    pub exclude_transitive: Vec<Address>,
    /// Addresses that do not resolve.
    pub errors: Vec<Error>,
}

/// Resolves the field `dependencies` of a target.
pub fn explicit(graph: &TargetGraph, target: &Target) -> Explicit {
    explicit_in_field(graph, target, "dependencies")
}

/// Resolves any field that holds addresses in the same form: `packages`, `files`, `runtime_package_dependencies`.
pub fn explicit_in_field(graph: &TargetGraph, target: &Target, field: &str) -> Explicit {
    let mut explicit = Explicit::default();
    for written in target.strings(field) {
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
        *list = list.iter().flat_map(|address| expand_generators(graph, address)).collect();
        list.sort();
        list.dedup();
    }
    explicit
}

/// Whether this is the address of a missing lockfile. Loading reports those once.
fn is_missing_lockfile(graph: &TargetGraph, written: &str) -> bool {
    let Ok(written) = Written::parse(written, &RelPath::root(), &|_| false) else { return false };
    let (Some(dir), Some(name)) = (written.path.parent(), written.name) else { return false };
    let lockfile = graph.get(&Address::new(&dir, &name));
    lockfile.is_some_and(|target| target.kind == "_lockfiles" && target.sources.is_empty())
}

/// Replaces a generator by the targets that it generates. Any other address is returned as it is.
pub fn expand_generators(graph: &TargetGraph, address: &Address) -> Vec<Address> {
    match graph.get(address).and_then(|target| Kind::find(&target.kind)).is_some_and(Kind::is_generator) {
        true => graph.generated_by(address).to_vec(),
        false => vec![address.clone()],
    }
}

/// Resolves one written dependency of the target `from`. If the dependency is parametrized, selects the variants whose
/// parameters equal the values of the same fields of `from`, or all variants if there are none.
pub fn resolve(graph: &TargetGraph, from: &Target, written: &str) -> Result<Vec<Address>, Error> {
    let found = find_targets(graph, written, &from.address.dir)?;
    if found.len() < 2 {
        return Ok(found);
    }
    let has_matching_parameters = |address: &&Address| {
        address.parameters.iter().all(|(parameter, value)| {
            let of = |parameter: &str| {
                let own = from.address.parameters.get(parameter).map(String::as_str);
                own.or_else(|| from.text(parameter))
            };
            let own = of(parameter).or_else(|| of(other_name(parameter)));
            own.or_else(|| graph.default_value(parameter)).is_none_or(|own| own == value)
        })
    };
    let matching: Vec<Address> = found.iter().filter(has_matching_parameters).cloned().collect();
    Ok(if matching.is_empty() { found } else { matching })
}

/// The other name of a parameter: targets from which Python code is generated name their resolve `python_resolve`.
fn other_name(parameter: &str) -> &str {
    match parameter {
        "resolve" => "python_resolve",
        "python_resolve" => "resolve",
        other => other,
    }
}

/// The targets of an address as written in a BUILD file in `dir`. An address without parameters matches all variants of
/// a parametrized target.
pub fn find_targets(graph: &TargetGraph, text: &str, dir: &RelPath) -> Result<Vec<Address>, Error> {
    let refuse = |source| Error::Address { written: text.to_owned(), source };
    let written = Written::parse(text, dir, &|path| graph.files().has_path(path)).map_err(refuse)?;
    let is_file = graph.files().contains(&written.path);
    let address = written.resolve(is_file).map_err(refuse)?;
    let found: Vec<Address> = graph.parametrizations(&address).iter().map(|target| target.address.clone()).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let found = find_similar(graph, &address);
    if !found.is_empty() {
        return Ok(found);
    }
    Err(unknown_target_error(graph, text, &address, is_file))
}

/// Targets of the same generator whose generated name differs only in spelling. For a generator with parameters, the
/// targets that it generated with those parameters.
fn find_similar(graph: &TargetGraph, address: &Address) -> Vec<Address> {
    let generator = Address::new(&address.dir, &address.name);
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

fn unknown_target_error(graph: &TargetGraph, written: &str, address: &Address, is_file: bool) -> Error {
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
        let hint = (!owners.is_empty()).then(|| format!("the file is owned by {}", quote_list(&owners)));
        return Error::Unknown { written, why: format!("no target `{}` owns the file", address.name), hint };
    }
    let mut names: Vec<&str> = graph.in_build_dir(&address.dir).map(|target| target.address.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let (why, nearest) = match &address.generated {
        Some(generated) if names.contains(&address.name.as_str()) => {
            let generator = Address::new(&address.dir, &address.name);
            let known = graph.generated_by(&generator).iter().filter_map(|other| other.generated.as_deref());
            (
                format!("`{generator}` does not generate `{generated}`"),
                text::nearest(generated, known).map(str::to_owned),
            )
        }
        _ => {
            let why = format!("`{}` does not declare a target `{}`", address.dir, address.name);
            (why, text::nearest(&address.name, names.iter().copied()).map(str::to_owned))
        }
    };
    let names: Vec<String> = names.into_iter().map(|name| format!(":{name}")).collect();
    let hint = match nearest {
        Some(nearest) => Some(format!("did you mean `{nearest}`?")),
        None => (!names.is_empty()).then(|| format!("its targets are {}", quote_list(&names))),
    };
    Error::Unknown { written, why, hint }
}

fn quote_list(words: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = words.iter().take(SHOWN).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    if words.len() > SHOWN {
        text.push_str(&format!(" and {} more", words.len() - SHOWN));
    }
    text
}
