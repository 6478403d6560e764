//! Help pages about goals and sections, generated from the option table. Target types and other topics are in `topics`.

use clap::{Arg, ArgAction, Command};
use serde_json::{Value, json};

use crate::cli::args::PASSING_GOAL;
use crate::cli::flag::GLOBAL;
use crate::config::Table;
use crate::config::table::unsupported::{Effect, effect};
use crate::config::table::{Kind, Row, ScopeKind, Section, renamed};

/// The name of the command on help pages.
const NAME: &str = "waders";

/// The page without a topic. `goals` are the implemented goals.
pub fn overview(table: &Table, goals: &[&str]) -> String {
    format!(
        "{about}\n\nUsage: {NAME} [flags] GOAL... [flags] [SPEC...] [-- ARGUMENTS...]\n\nGoals:\n{goals}\n\
         Specs:\n{specs}\n\
         More:\n  {NAME} help GOAL            a goal and its flags\n  {NAME} help global          flags of every goal\n  \
         {NAME} help targets         the target types; `help TYPE` has its fields\n  \
         {NAME} help subsystems      sections of `pants.toml` and `waders.toml`\n  \
         {NAME} help troubleshooting messages and exit codes, and what to do about them\n  \
         {NAME} help-all             everything, as JSON\n",
        about = env!("CARGO_PKG_DESCRIPTION"),
        goals = goal_list(table, goals),
        specs = SPECS.map(|(spec, meaning)| format!("  {spec:<13} {meaning}\n")).concat(),
    )
}

/// The forms of specs, with their meanings.
pub(super) const SPECS: [(&str, &str); 5] = [
    ("dir::", "every target in a directory and below"),
    ("dir:", "every target in a directory"),
    ("dir:name", "one target"),
    ("dir/file.py", "the targets that own a file"),
    ("-SPEC", "exclude targets"),
];

/// The page of a topic: a goal, a section, or the name of a list. `None` for an unknown topic.
pub fn page(table: &Table, goals: &[&str], topic: &str, advanced: bool) -> Option<String> {
    match topic {
        "goals" => Some(goal_list(table, goals)),
        "global" => Some(section_page(table.section(GLOBAL)?, goals, advanced)),
        "subsystems" => {
            Some(section_list(table, |section| matches!(section.kind, ScopeKind::Subsystem | ScopeKind::Named)))
        }
        "tools" => Some(section_list(table, |section| section.kind == ScopeKind::Tool)),
        _ => {
            let name = renamed::goal(topic).unwrap_or_else(|| renamed::scope(topic));
            Some(section_page(table.section(name)?, goals, advanced))
        }
    }
}

/// Every section and option as JSON, with a schema version.
pub fn all(table: &Table, goals: &[&str]) -> Value {
    let sections = table.sections().map(|section| section_json(section, goals));
    json!({"schema_version": 1, "scopes": sections.collect::<serde_json::Map<_, _>>()})
}

/// The flag of an option without the dashes: the flags of goals and global flags need no prefix.
pub fn flag_name(section: &Section, row: &Row) -> String {
    let option = row.entry.name.replace('_', "-");
    if section.name == GLOBAL || section.is_goal { option } else { format!("{}-{option}", section.name) }
}

/// Whether setting the option changes anything.
pub fn has_effect(section: &Section, row: &Row) -> bool {
    effect(section.name, row.entry.name) == Effect::Works
}

/// The help of an option, followed by its choices and `[default: …]`.
pub fn describe(row: &Row) -> String {
    let mut text = row.entry.help.to_owned();
    if let Kind::Choice(choices) = row.entry.kind {
        text += &format!(" [{}]", choices.join(", "));
    }
    match &row.default {
        Value::Null | Value::Bool(_) => {}
        Value::String(default) if default.is_empty() => {}
        Value::String(default) => text += &format!(" [default: {}]", default.escape_debug()),
        Value::Array(items) if items.is_empty() => {}
        Value::Object(map) if map.is_empty() => {}
        default => text += &format!(" [default: {default}]"),
    }
    text
}

fn goal_list(table: &Table, goals: &[&str]) -> String {
    lines(table.goals().filter(|goal| goals.contains(&goal.name)).map(|goal| (goal.name, goal.help)))
}

fn section_list(table: &Table, wanted: impl Fn(&Section) -> bool) -> String {
    lines(table.sections().filter(|section| wanted(section)).map(|section| (section.name, section.help)))
}

/// Renders names with their descriptions in two columns.
pub fn lines<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    rows.map(|(name, help)| format!("  {name:<28} {help}").trim_end().to_owned() + "\n").collect()
}

/// How the goals or flags of a section are written on the command line.
pub(super) fn usage(section: &Section) -> String {
    match section.name {
        GLOBAL => format!("{NAME} [flags] GOAL... [SPEC...]"),
        PASSING_GOAL => format!("{NAME} {PASSING_GOAL} [flags] [ARGUMENTS...]"),
        name if section.is_goal && section.rows.values().any(|row| row.entry.passthrough) => {
            format!("{NAME} {name} [flags] [SPEC...] [-- ARGUMENTS...]")
        }
        name if section.is_goal => format!("{NAME} {name} [flags] [SPEC...]"),
        name => format!("{NAME} [--{name}-…] GOAL... [SPEC...]"),
    }
}

fn section_page(section: &Section, goals: &[&str], advanced: bool) -> String {
    let shown = section.rows.values().filter(|row| advanced || has_effect(section, row));
    let mut command = Command::new(section.name)
        .about(section.help)
        .override_usage(usage(section))
        .disable_help_flag(true)
        .args(shown.map(|row| argument(section, row)));
    let page = command.render_help().to_string();
    match is_implemented(section, goals) {
        true => page,
        false => format!("{page}\nThis goal is not implemented yet.\n"),
    }
}

/// The goals that `dispatch` answers itself.
const ANSWERED_HERE: [&str; 3] = ["complete", "completions", "man-pages"];

/// True unless the section is that of a goal which is not implemented.
pub(super) fn is_implemented(section: &Section, goals: &[&str]) -> bool {
    section.kind != ScopeKind::Goal || ANSWERED_HERE.contains(&section.name) || goals.contains(&section.name)
}

fn argument(section: &Section, row: &Row) -> Arg {
    let name = flag_name(section, row);
    let help = match effect(section.name, row.entry.name) {
        Effect::Works => describe(row),
        Effect::Inert(reason) => format!("No effect: {reason}."),
        Effect::Unsupported(reason) => format!("Not supported: {reason}."),
    };
    let argument = Arg::new(row.entry.name).help(help);
    if row.entry.kind == Kind::Bool {
        let on_by_default = row.default == Value::Bool(true);
        let long = if on_by_default { format!("[no-]{name}") } else { name };
        return argument.long(long).action(ArgAction::SetTrue);
    }
    argument.long(name).require_equals(true).value_name(value_name(row.entry.kind))
}

/// The placeholder of a value in the help about its flag.
pub(super) fn value_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "BOOL",
        Kind::Integer | Kind::Float => "NUMBER",
        Kind::Size => "SIZE",
        Kind::Text | Kind::Choice(_) => "TEXT",
        Kind::Texts | Kind::ShellWords | Kind::Integers => "ITEM",
        Kind::Dict => "DICT",
    }
}

fn section_json(section: &Section, goals: &[&str]) -> (String, Value) {
    let options: serde_json::Map<String, Value> = section.rows.values().map(|row| option_json(section, row)).collect();
    let value = json!({"description": section.help, "is_goal": section.is_goal, "is_there": is_implemented(section, goals), "options": options});
    (section.name.to_owned(), value)
}

fn option_json(section: &Section, row: &Row) -> (String, Value) {
    let mut value = json!({
        "flag": format!("--{}", flag_name(section, row)),
        "kind": value_name(row.entry.kind).to_lowercase(),
        "default": row.default,
        "help": row.entry.help,
        "ignored": !has_effect(section, row),
    });
    if let Effect::Inert(reason) | Effect::Unsupported(reason) = effect(section.name, row.entry.name) {
        value["reason"] = json!(reason);
    }
    if let Kind::Choice(choices) = row.entry.kind {
        value["choices"] = json!(choices);
    }
    (row.entry.name.to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOALS: [&str; 2] = ["test", "list"];

    #[test]
    fn the_overview_lists_only_implemented_goals() {
        let text = overview(Table::get(), &GOALS);
        assert!(text.contains("  test                         Run tests.\n") && !text.contains("publish"), "{text}");
    }

    #[test]
    fn the_page_of_a_goal_shows_where_arguments_of_a_program_stand() {
        let usage = |goal| page(Table::get(), &GOALS, goal, false).unwrap();
        assert!(usage("run").contains("waders run [flags] [SPEC...] [-- ARGUMENTS...]\n"));
        assert!(usage("py").contains("waders py [flags] [ARGUMENTS...]\n"));
    }

    #[test]
    fn the_page_of_a_goal_has_its_flags_and_their_defaults() {
        let text = page(Table::get(), &GOALS, "test", false).unwrap();
        for wanted in
            ["waders test [flags] [SPEC...]", "--debug", "--[no-]timeouts", "[all, failed, none] [default: failed]"]
        {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
    }

    #[test]
    fn flags_of_a_section_have_its_name_as_a_prefix() {
        let text = page(Table::get(), &GOALS, "pytest", false).unwrap();
        assert!(text.contains("--pytest-args=<ITEM>"), "{text}");
        assert!(page(Table::get(), &GOALS, "GLOBAL", true).unwrap().contains("No effect: Waders has no daemon."));
        assert!(page(Table::get(), &GOALS, "python_tests", false).is_none());
    }

    #[test]
    fn every_topic_has_a_page() {
        for section in Table::get().sections() {
            assert!(page(Table::get(), &GOALS, section.name, true).is_some(), "{}", section.name);
        }
        for list in ["goals", "global", "subsystems", "tools", "dependees", "python-setup"] {
            assert!(!page(Table::get(), &GOALS, list, false).unwrap().is_empty(), "{list}");
        }
    }
}
