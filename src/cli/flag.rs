//! Finds the option that a flag sets: `--debug` after the goal `test`, `--test-debug` anywhere, `--no-…` for false.

use crate::base::text::nearest;
use crate::cli::help;
use crate::config::Flag;
use crate::config::table::renamed::{self, Renamed};
use crate::config::table::{Kind, Row, Section, Table};

/// The section of global options. As a context, it stands for positions where only global flags need no prefix.
pub const GLOBAL: &str = "GLOBAL";

/// Why a flag is invalid.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// No option has this name.
    Unknown,
    /// The option is not boolean, and no `=value` follows.
    NeedsValue,
}

/// Reads `--name` or `--name=value`; `context` is the goal whose flags need no prefix at this position.
pub fn read(table: &Table, spelling: &str, context: &str) -> Result<Flag, Refused> {
    let body = spelling.strip_prefix("--").ok_or(Refused::Unknown)?;
    let (name, value) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
    let Some(meaning) = find(table, name, context) else {
        return ignored(table, name, spelling).ok_or(Refused::Unknown);
    };
    let value = match (value, meaning.is_switch()) {
        (Some(value), true) if meaning.negated => (!value.eq_ignore_ascii_case("true")).to_string(),
        (None, true) => (!meaning.negated).to_string(),
        (Some(value), _) => value.to_owned(),
        (None, false) => meaning.row.entry.bare.ok_or(Refused::NeedsValue)?.to_owned(),
    };
    Ok(Flag {
        scope: meaning.scope.to_owned(),
        option: meaning.row.entry.name.to_owned(),
        value: meaning.translate(value),
        spelling: spelling.to_owned(),
    })
}

/// Suggests a known flag for an unknown one, preferring the flags of the goals on the command line.
pub fn suggest(table: &Table, spelling: &str, context: &str, goals: &[String]) -> Option<String> {
    let name = spelling.split('=').next().unwrap_or(spelling);
    let bare = name.trim_start_matches("--");
    let mut known = goals.iter().map(String::as_str).chain(table.goals().map(|goal| goal.name));
    let elsewhere = known.find(|goal| find(table, bare, goal).is_some());
    if let Some(goal) = elsewhere {
        return Some(format!(
            "`{name}` belongs to the goal `{goal}`: write `{goal} {name}`, or `--{goal}-{bare}` anywhere"
        ));
    }
    let scope = if context == GLOBAL { goals.last().map_or(GLOBAL, String::as_str) } else { context };
    let known: Vec<String> = spellings(table, scope).collect();
    let known = || known.iter().map(String::as_str);
    // `--seperator` begins with the known flag `--sep`.
    let prefix = || known().filter(|known| known.len() > 4 && name.starts_with(known)).max_by_key(|known| known.len());
    let near = nearest(name, known()).or_else(prefix)?;
    let is_known_here = find(table, near.trim_start_matches("--"), context).is_some();
    let near = if is_known_here { near.to_owned() } else { format!("--{scope}-{}", near.trim_start_matches("--")) };
    Some(format!("did you mean `{near}`?"))
}

/// Every flag that has an effect, as it is written in this context.
pub fn spellings(table: &Table, context: &str) -> impl Iterator<Item = String> {
    table.rows().filter(|(section, row)| help::has_effect(section, row)).map(move |(section, row)| {
        let option = row.entry.name.replace('_', "-");
        if section.name == GLOBAL || section.name == context {
            format!("--{option}")
        } else {
            format!("--{}-{option}", section.name)
        }
    })
}

/// A flag of a section that is accepted for compatibility with Pants and has no effect.
fn ignored(table: &Table, name: &str, spelling: &str) -> Option<Flag> {
    let name = name.strip_prefix("no-").unwrap_or(name);
    let is_prefix = |section: &&Section| {
        section.is_inert && name.strip_prefix(section.name).is_some_and(|rest| rest.starts_with('-'))
    };
    let section = table.sections().find(is_prefix)?;
    Some(Flag {
        scope: section.name.to_owned(),
        option: name[section.name.len() + 1..].replace('-', "_"),
        value: String::new(),
        spelling: spelling.to_owned(),
    })
}

struct Meaning<'t> {
    scope: &'t str,
    row: &'t Row,
    negated: bool,
    renamed: Option<&'static Renamed>,
}

impl Meaning<'_> {
    /// A boolean option may have been replaced by a choice.
    fn is_switch(&self) -> bool {
        self.row.entry.kind == Kind::Bool || self.renamed.is_some_and(|renamed| !renamed.values.is_empty())
    }

    fn translate(&self, value: String) -> String {
        let values = self.renamed.map_or(&[][..], |renamed| renamed.values);
        let translated = values.iter().find(|(old, _)| value.eq_ignore_ascii_case(old));
        translated.map_or(value, |(_, now)| (*now).to_owned())
    }
}

/// The option itself is tried before its negation, since the names of some options begin with `no`.
fn find<'t>(table: &'t Table, name: &str, context: &str) -> Option<Meaning<'t>> {
    let found = positive(table, name, context);
    let negated = |meaning: Meaning<'t>| meaning.is_switch().then_some(Meaning { negated: true, ..meaning });
    found
        .or_else(|| negated(positive(table, name.strip_prefix("no-")?, context)?))
        .or_else(|| scoped(table, name, |option| option.strip_prefix("no-")).and_then(negated))
}

fn positive<'t>(table: &'t Table, name: &str, context: &str) -> Option<Meaning<'t>> {
    option(table, context, name)
        .or_else(|| option(table, GLOBAL, name))
        .or_else(|| scoped(table, name, |option| Some(option)))
}

/// `--scope-option`, the longest scope first: `python-infer` before `python`.
fn scoped<'t>(table: &'t Table, name: &str, rest: impl Fn(&str) -> Option<&str>) -> Option<Meaning<'t>> {
    let dashes: Vec<usize> = name.match_indices('-').map(|(at, _)| at).collect();
    dashes.into_iter().rev().find_map(|at| {
        let scope = if name[..at].eq_ignore_ascii_case(GLOBAL) { GLOBAL } else { &name[..at] };
        option(table, scope, rest(&name[at + 1..])?)
    })
}

fn option<'t>(table: &'t Table, scope: &str, name: &str) -> Option<Meaning<'t>> {
    let option = name.replace('-', "_");
    let renamed = renamed::option(scope, &option);
    let (scope, option) =
        renamed.map_or((renamed::scope(scope), option.as_str()), |now| (now.now_scope, now.now_option));
    let section = table.section(scope)?;
    Some(Meaning { scope: section.name, row: section.rows.get(option)?, negated: false, renamed })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scope.option=value` or the reason why the flag is invalid.
    fn check(spelling: &str, context: &str, expected: &str) {
        let found = match read(Table::get(), spelling, context) {
            Ok(flag) => format!("{}.{}={}", flag.scope, flag.option, flag.value),
            Err(refused) => format!("{refused:?}"),
        };
        assert_eq!(found, expected, "{spelling} in {context}");
    }

    #[test]
    fn the_flags_of_a_goal_need_no_prefix_after_the_goal() {
        check("--debug", "test", "test.debug=true");
        check("--debug", GLOBAL, "Unknown");
        check("--test-debug", GLOBAL, "test.debug=true");
        check("--test-debug", "lint", "test.debug=true");
    }

    #[test]
    fn global_flags_never_need_a_prefix() {
        check("--tag=-a,b", "test", "GLOBAL.tag=-a,b");
        check("--global-level=debug", "test", "GLOBAL.level=debug");
        check("--GLOBAL-level=debug", GLOBAL, "GLOBAL.level=debug");
    }

    #[test]
    fn the_longest_scope_wins() {
        check("--python-infer-imports=false", GLOBAL, "python-infer.imports=false");
        check("--python-no-binary=x", GLOBAL, "python.no_binary=x");
        check("--changed-since=HEAD~1", "test", "changed.since=HEAD~1");
        check(
            "--platform-specific-resources-target=linux_arm64",
            "package",
            "platform-specific-resources.target=linux_arm64",
        );
    }

    #[test]
    fn boolean_flags_are_negated_in_both_spellings() {
        check("--no-pantsd", GLOBAL, "GLOBAL.pantsd=false");
        check("--no-timeouts", "test", "test.timeouts=false");
        check("--no-test-timeouts", GLOBAL, "test.timeouts=false");
        check("--test-no-timeouts", GLOBAL, "test.timeouts=false");
        check("--no-test-timeouts=false", GLOBAL, "test.timeouts=true");
        check("--no-tag", GLOBAL, "Unknown");
    }

    #[test]
    fn old_names_set_the_current_options() {
        check("--changed-dependees=direct", GLOBAL, "changed.dependents=direct");
        check("--paths-path-from=a", GLOBAL, "paths.from=a");
        check("--no-process-cleanup", GLOBAL, "GLOBAL.keep_sandboxes=always");
        check("--export-symlink-python-virtualenv", GLOBAL, "export.py_resolve_format=symlinked_immutable_virtualenv");
        check("--dependees-transitive", GLOBAL, "dependents.transitive=true");
    }

    #[test]
    fn the_value_begins_after_the_first_equals_sign() {
        check("--extra-env-vars=A=1,B=2", "test", "test.extra_env_vars=A=1,B=2");
        check("--tag", GLOBAL, "NeedsValue");
        check("--vary", "verify", "verify.vary=all");
        check("--vary=path", "verify", "verify.vary=path");
        check("--tag=", GLOBAL, "GLOBAL.tag=");
    }

    #[test]
    fn flags_of_ignored_sections_are_accepted() {
        check("--no-jvm-reproducible-jars", GLOBAL, "jvm.reproducible_jars=");
        check("--jvmx=1", GLOBAL, "Unknown");
    }

    #[test]
    fn a_suggestion_names_the_goal_or_a_similar_flag() {
        let table = Table::get();
        let check = |goals: &[&str], flag, expected: Option<&str>| {
            let goals: Vec<String> = goals.iter().map(|goal| (*goal).to_owned()).collect();
            assert_eq!(suggest(table, flag, GLOBAL, &goals).as_deref(), expected, "{flag}");
        };
        let elsewhere = |goal| {
            format!(
                "`--transitive` belongs to the goal `{goal}`: write `{goal} --transitive`, or `--{goal}-transitive` anywhere"
            )
        };
        check(&[], "--transitive", Some(&elsewhere("dependencies")));
        check(&["list", "dependents"], "--transitive", Some(&elsewhere("dependents")));
        check(&["dependents"], "--transitiv", Some("did you mean `--dependents-transitive`?"));
        check(&["list"], "--tags=a", Some("did you mean `--tag`?"));
        check(&["list"], "--seperator=,", Some("did you mean `--list-sep`?"));
        check(&[], "--changed-sinse=a", Some("did you mean `--changed-since`?"));
        check(&["test"], "--utterly-different", None);
    }
}
