//! The entry points of a distribution: those of its field `entry_points`, which may name binaries, and those of `provides`.

use std::collections::BTreeMap;

use super::Error;
use super::metadata::address;
use crate::inference::SourceRoots;
use crate::inference::entry_point::{is_address, parse_module};
use crate::targets::{Target, TargetGraph, Value, kind};

/// By group and name: `package.module:function`.
pub(super) type EntryPoints = BTreeMap<String, BTreeMap<String, String>>;

/// The groups whose entry points become programs.
const SCRIPTS: [&str; 2] = ["console_scripts", "gui_scripts"];

/// All entry points of a distribution. `arguments` are those of `provides`.
pub(super) fn merged(
    target: &Target,
    arguments: &BTreeMap<String, Value>,
    graph: &TargetGraph,
    roots: &SourceRoots,
) -> Result<EntryPoints, Error> {
    let mut found = EntryPoints::new();
    let groups = [target.fields.get("entry_points"), arguments.get("entry_points")];
    for (group, name, written) in groups
        .into_iter()
        .flatten()
        .map(|groups| entries(target, groups))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
    {
        let fail = |why: String| Error::EntryPoint {
            target: target.address.clone(),
            group: group.clone(),
            name: name.clone(),
            why,
        };
        let resolved = match is_address(&written) {
            true => of_binary(target, &written, graph, roots).map_err(fail)?,
            false => written.clone(),
        };
        let has_function =
            resolved.split_once(':').is_some_and(|(module, function)| !module.is_empty() && !function.is_empty());
        if SCRIPTS.contains(&group.as_str()) && !has_function {
            return Err(fail(format!("`{resolved}` does not name a function: write `module:function`")));
        }
        let known = found.entry(group.clone()).or_default();
        if known.contains_key(&name) {
            return Err(fail("both `entry_points` and `provides` define it".to_owned()));
        }
        known.insert(name.clone(), resolved);
    }
    Ok(found)
}

/// The argument `entry_points` of `setup()`.
pub(super) fn to_value(entry_points: &EntryPoints) -> Value {
    let group = |(group, entries): (&String, &BTreeMap<String, String>)| {
        let entries = entries.iter().map(|(name, target)| Value::Str(format!("{name} = {target}")));
        (Value::Str(group.clone()), Value::List(entries.collect()))
    };
    Value::Dict(entry_points.iter().map(group).collect())
}

/// Group, name and entry point of each entry.
fn entries(target: &Target, groups: &Value) -> Result<Vec<(String, String, String)>, Error> {
    let malformed = || Error::EntryPoints { target: target.address.clone() };
    let Value::Dict(groups) = groups else { return Err(malformed()) };
    let mut found = Vec::new();
    for (group, entries) in groups {
        let group = match group {
            Value::Str(group) => group.as_str(),
            // `stevedore_namespace("…")`
            Value::Object(object) => object.positional.first().and_then(Value::as_str).ok_or_else(malformed)?,
            _ => return Err(malformed()),
        };
        let pairs: Vec<(&str, &str)> = match entries {
            Value::Dict(entries) => {
                let pairs = entries.iter().map(|(name, entry)| Some((name.as_str()?, entry.as_str()?)));
                pairs.collect::<Option<_>>().ok_or_else(malformed)?
            }
            // The form of setuptools: `name = module:function`.
            entries => {
                let pairs = entries.strings().into_iter().map(|entry| entry.split_once('='));
                pairs.collect::<Option<_>>().ok_or_else(malformed)?
            }
        };
        found.extend(
            pairs.into_iter().map(|(name, entry)| (group.to_owned(), name.trim().to_owned(), entry.trim().to_owned())),
        );
    }
    Ok(found)
}

/// The entry point of the `pex_binary` with an address, or why it has none.
fn of_binary(target: &Target, written: &str, graph: &TargetGraph, roots: &SourceRoots) -> Result<String, String> {
    let address = address(written, &target.address.dir).ok_or_else(|| format!("`{written}` is not an address"))?;
    let binary = graph.get(&address).ok_or_else(|| format!("there is no target {address}"))?;
    if binary.kind != kind::PEX_BINARY {
        return Err(format!("{address} is not a `pex_binary`"));
    }
    let entry = binary.fields.get("entry_point").and_then(Value::as_str);
    let entry = entry.ok_or_else(|| format!("{address} has no `entry_point`"))?;
    let module =
        parse_module(entry, &address.dir, roots).ok_or_else(|| format!("{address} has no valid `entry_point`"))?;
    match entry.split_once(':') {
        Some((_, function)) => Ok(format!("{}:{function}", module.name)),
        None => Ok(module.name),
    }
}
