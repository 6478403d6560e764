//! Completion scripts for shells, generated from the option table.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::{Shell, generate};

use crate::base::text::nearest;
use crate::cli::flag::GLOBAL;
use crate::cli::help;
use crate::config::Table;
use crate::config::table::{Kind, Row, Section};

const SHELLS: [(&str, Shell); 3] = [("bash", Shell::Bash), ("fish", Shell::Fish), ("zsh", Shell::Zsh)];

/// Sections whose flags are completed after every goal, with the section's name as a prefix.
const EVERYWHERE: [&str; 2] = ["changed", "filter"];

/// Why there is no completion script.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The shell is not supported.
    #[error("unsupported shell `{shell}`")]
    UnknownShell {
        /// As written.
        shell: String,
        /// The supported shell that was probably meant.
        near: Option<&'static str>,
    },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let Error::UnknownShell { near, .. } = self;
        Some(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "supported shells: `bash`, `fish`, `zsh`".to_owned(),
        })
    }
}

/// Renders the completion script of a shell. `goals` are the implemented goals.
pub fn script(table: &Table, goals: &[&str], shell: &str) -> Result<String, Error> {
    let found = SHELLS.iter().find(|(name, _)| *name == shell);
    let (_, shell) = found.ok_or_else(|| Error::UnknownShell {
        shell: shell.to_owned(),
        near: nearest(shell, SHELLS.map(|(name, _)| name)),
    })?;
    let mut out = Vec::new();
    generate(*shell, &mut command(table, goals), "waders", &mut out);
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn command(table: &Table, goals: &[&str]) -> Command {
    let goals = table.goals().filter(|goal| goals.contains(&goal.name));
    Command::new("waders")
        .disable_help_subcommand(true)
        .args(table.section(GLOBAL).into_iter().flat_map(arguments))
        .subcommands(goals.map(|goal| goal_command(table, goal)))
}

fn goal_command(table: &Table, goal: &Section) -> Command {
    let global = table.section(GLOBAL).into_iter().flat_map(arguments);
    let everywhere = EVERYWHERE.iter().filter(|name| **name != goal.name).filter_map(|name| table.section(name));
    Command::new(goal.name)
        .about(goal.help)
        .args(global)
        .args(arguments(goal))
        .args(everywhere.flat_map(arguments))
        .arg(Arg::new("specs").num_args(0..).value_hint(ValueHint::AnyPath))
}

fn arguments(section: &Section) -> impl Iterator<Item = Arg> {
    section.rows.values().filter(|row| help::has_effect(section, row)).map(|row| argument(section, row))
}

fn argument(section: &Section, row: &Row) -> Arg {
    let name = help::flag_name(section, row);
    let is_everywhere = EVERYWHERE.contains(&section.name);
    // The flags of a goal need no prefix, but here they stand after other goals.
    let name = if is_everywhere && section.is_goal { format!("{}-{name}", section.name) } else { name };
    let argument = Arg::new(name.clone()).help(row.entry.help);
    match row.entry.kind {
        Kind::Bool if row.default == true => argument.long(format!("no-{name}")).action(ArgAction::SetTrue),
        Kind::Bool => argument.long(name).action(ArgAction::SetTrue),
        Kind::Choice(choices) => {
            argument.long(name).require_equals(true).value_parser(PossibleValuesParser::new(choices))
        }
        _ => argument.long(name).require_equals(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_with_goals_and_flags() {
        for (shell, _) in SHELLS {
            let script = script(Table::get(), &["test", "filter"], shell).unwrap();
            for wanted in ["use-coverage", "changed-since", "filter-address-regex", "keep-sandboxes"] {
                assert!(script.contains(wanted), "{wanted} for {shell}");
            }
        }
    }

    #[test]
    fn the_generated_command_is_valid() {
        let goals: Vec<&str> = Table::get().goals().map(|goal| goal.name).collect();
        command(Table::get(), &goals).debug_assert();
    }

    #[test]
    fn an_unknown_shell_is_refused() {
        let error = script(Table::get(), &[], "bsh").unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `bash`?");
    }
}
