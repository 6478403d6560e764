//! Flags, and the values of flags whose values are known.

use super::{Candidate, Line};
use crate::cli::flag::{self, GLOBAL};
use crate::cli::help;
use crate::config::Table;
use crate::config::table::{Kind, Row, Section};
use crate::config::typed::PythonSettings;
use crate::goals;
use crate::session::git_references;
use crate::targets::kind::page as kinds;

/// Sections whose flags are completed after every goal, with the section's name as a prefix.
const EVERYWHERE: [&str; 2] = ["changed", "filter"];

/// The flags that continue the current word, or the values of the flag in it.
pub(super) fn candidates(line: &Line) -> Vec<Candidate> {
    if let Some((name, _)) = line.current.split_once('=') {
        return values(line, name);
    }
    let context = line.position.context;
    let goals = line.position.args.goals.iter().map(String::as_str);
    let near: Vec<&str> = goals.chain([context, GLOBAL]).chain(EVERYWHERE).collect();
    let is_near = |section: &Section| near.contains(&section.name);
    let continued = |wanted: &dyn Fn(&Section) -> bool| -> Vec<Candidate> {
        let rows = Table::get().rows().filter(|(section, row)| wanted(section) && help::has_effect(section, row));
        rows.map(|(section, row)| flag(section, row, context))
            .filter(|flag| flag.value.starts_with(line.current))
            .collect()
    };
    let mut found = continued(&is_near);
    // The options of all tools would hide those of the goal.
    if found.is_empty() {
        found = continued(&|_| true);
    }
    let aliases = line.aliases.names().filter(|name| name.starts_with("--"));
    found.extend(aliases.map(|name| Candidate::new(name, "An alias of this repository.")));
    found.push(Candidate::new("--help", "Show help about the goals of the command line."));
    found
}

fn flag(section: &Section, row: &Row, context: &str) -> Candidate {
    let option = row.entry.name.replace('_', "-");
    let is_short = section.name == GLOBAL || section.name == context;
    let name = if is_short { option } else { format!("{}-{option}", section.name) };
    let spelling = match row.entry.kind {
        Kind::Bool if row.default == true => format!("--no-{name}"),
        Kind::Bool => format!("--{name}"),
        _ if row.entry.bare.is_some() => format!("--{name}"),
        _ => format!("--{name}="),
    };
    Candidate::new(spelling, row.entry.help)
}

/// The values of the flag with this spelling, if they are known. Otherwise the shell completes files.
fn values(line: &Line, spelling: &str) -> Vec<Candidate> {
    let Ok(flag) = flag::read(Table::get(), &format!("{spelling}="), line.position.context) else { return Vec::new() };
    let Some(row) = Table::get().row(&flag.scope, &flag.option) else { return Vec::new() };
    let plain = |values: &[&str]| values.iter().map(|value| ((*value).to_owned(), "")).collect();
    let config = line.context.as_ref().map(|context| &context.config);
    let build_root = line.context.as_ref().map(|context| &context.build_root);
    let found: Vec<(String, &str)> = match (row.entry.kind, flag.option.as_str(), config) {
        (Kind::Choice(choices), ..) => plain(choices),
        (Kind::Bool, ..) => plain(&["true", "false"]),
        (_, "target_type", _) => kinds::list().map(|(name, help)| (name.to_owned(), help)).collect(),
        (_, "since", _) => {
            let names = build_root.map(|root| git_references(root)).unwrap_or_default();
            ["HEAD".to_owned()].into_iter().chain(names).map(|name| (name, "")).collect()
        }
        (_, "only", Some(config)) => {
            goals::tool_names(config, &flag.scope).into_iter().map(|name| (name, "")).collect()
        }
        (_, "resolve" | "resolves", Some(config)) => {
            PythonSettings::parse(config).resolves.into_keys().map(|name| (name, "")).collect()
        }
        _ => Vec::new(),
    };
    found.into_iter().map(|(value, help)| Candidate::new(format!("{spelling}={value}"), help)).collect()
}
