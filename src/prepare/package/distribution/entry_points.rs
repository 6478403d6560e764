//! The entry points of a distribution: those of its field `entry_points`, which may name binaries, and those of `provides`.

use std::collections::BTreeMap;

use super::Error;
use crate::inference::SourceRoots;
use crate::inference::entry_point::{Entry, entries, is_address, module_part, parse_module};
use crate::targets::{Target, TargetGraph, Value, dependencies, kind};

/// By group and name: `package.module:function`.
pub(super) type EntryPoints = BTreeMap<String, BTreeMap<String, String>>;

/// The groups whose entry points become programs.
const SCRIPTS: [&str; 2] = ["console_scripts", "gui_scripts"];

/// All entry points of a distribution. `arguments` are those of `provides`; `knows` says whether a module may exist.
pub(super) fn merged(
    target: &Target,
    arguments: &BTreeMap<String, Value>,
    (graph, roots): (&TargetGraph, &SourceRoots),
    knows: &dyn Fn(&str) -> bool,
) -> Result<EntryPoints, Error> {
    let mut found = EntryPoints::new();
    let groups = [target.fields.get("entry_points"), arguments.get("entry_points")];
    let entries = groups.into_iter().flatten().map(entries).collect::<Option<Vec<_>>>();
    let entries = entries.ok_or_else(|| Error::EntryPoints { target: target.address.clone() })?;
    for Entry { group, name, written } in entries.into_iter().flatten() {
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
        let module = module_part(&resolved);
        if !knows(module) {
            return Err(fail(format!("the distribution has no module `{module}`, and no dependency provides it")));
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

/// The entry point of the `pex_binary` with an address, or why it has none.
fn of_binary(target: &Target, written: &str, graph: &TargetGraph, roots: &SourceRoots) -> Result<String, String> {
    let found = dependencies::resolve(graph, target, written).map_err(|error| error.to_string())?;
    let [address] = &found[..] else { return Err(format!("`{written}` names several targets")) };
    let binary = graph.get(address).expect("the target was found in this graph");
    if binary.kind != kind::PEX_BINARY {
        return Err(format!("{address} is not a `pex_binary`"));
    }
    let entry = binary.text("entry_point");
    let entry = entry.ok_or_else(|| format!("{address} has no `entry_point`"))?;
    let module =
        parse_module(entry, &address.dir, roots).ok_or_else(|| format!("{address} has no valid `entry_point`"))?;
    match entry.split_once(':') {
        Some((_, function)) => Ok(format!("{}:{function}", module.name)),
        None => Ok(module.name),
    }
}
