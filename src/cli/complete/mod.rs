//! The hidden goal `complete`: what the words before the cursor can be continued with, one candidate on each line with a description
//! after a tab. The scripts of `completions` call it as `waders complete -- WORD…`; the last word is the one that is completed.
//!
//! The engine of clap_complete is not used: it needs one subcommand with its arguments, whereas a command line here has several goals,
//! specs that are relative to a repository, and flags whose spelling depends on the goal before them. The parser of `args` knows all
//! of this. Nothing is written, no step runs, and errors are ignored: where no answer is known, there are no candidates.

mod flags;
mod specs;

use std::collections::BTreeSet;

use crate::cli::alias::Aliases;
use crate::cli::args::{self, ATTESTING_GOAL, FILE_OPERATIONS, FIRST_GOALS, HELP_LISTS, Help, Position};
use crate::cli::completions::SHELLS;
use crate::cli::troubleshooting;
use crate::config::{Config, Environment, SettingsSources, Table, build_root};
use crate::goals;
use crate::session::Context;
use crate::targets::kind::page as kinds;

/// A possible value of the completed word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// The whole word. The user continues it if it ends with `/` or `=`, or with one colon.
    value: String,
    /// May be empty.
    description: String,
}

impl Candidate {
    fn new(value: impl Into<String>, description: &str) -> Candidate {
        Candidate { value: value.into(), description: first_sentence(description) }
    }
}

/// The words of a command line after the program's name, up to the cursor.
struct Line<'a> {
    position: Position<'static>,
    current: &'a str,
    aliases: Aliases,
    /// `None` outside a repository, and in one with invalid settings.
    context: Option<Context>,
}

/// The candidates for the last of the words, sorted.
pub(super) fn answer(words: &[String], environment: Environment) -> String {
    let (current, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let line = Line::read(before, current, environment);
    let mut out = String::new();
    for Candidate { value, description } in line.candidates() {
        // Another line or field would begin inside such a name.
        if value.starts_with(current) && !value.contains(['\n', '\t']) {
            out += &format!("{value}\t{description}\n");
        }
    }
    out
}

impl<'a> Line<'a> {
    fn read(before: &[String], current: &'a str, environment: Environment) -> Line<'a> {
        let table = Table::get();
        let settings = build_root::find(&environment)
            .ok()
            .and_then(|root| SettingsSources::read(environment, root, &args::early_flags(before, table)).ok());
        let aliases = settings.as_ref().and_then(|settings| Aliases::new(&settings.aliases().ok()?, table).ok());
        let aliases = aliases.unwrap_or_default();
        let context = settings.and_then(|settings| {
            let (config, _) = Config::load(&settings, &[], &[], None).ok()?;
            Some(Context::new(config, settings.environment, settings.build_root, Vec::new()))
        });
        Line { position: args::position(before, table, &aliases), current, aliases, context }
    }

    fn candidates(&self) -> BTreeSet<Candidate> {
        let args = &self.position.args;
        let mut found = Vec::new();
        if self.position.is_passthrough {
            // The words of another program: the shell completes files.
        } else if self.current.starts_with("--") {
            found.extend(flags::candidates(self));
        } else if let Some(Help::Topics { .. }) = args.help {
            found.extend(topics());
        } else if let Some(goal) = self.position.word_goal() {
            found.extend(self.words_of(goal));
        } else {
            found.extend(self.goals());
            found.extend(self.specs());
        }
        if self.current == "-" {
            found.extend(flags::candidates(self));
        }
        found.into_iter().collect()
    }

    /// The goals that can follow. After a goal, an empty word is most likely a spec.
    fn goals(&self) -> Vec<Candidate> {
        let chosen = &self.position.args.goals;
        if !self.position.args.specs.is_empty() || !chosen.is_empty() && self.current.is_empty() {
            return Vec::new();
        }
        let can_follow =
            |name: &str| chosen.is_empty() || !FIRST_GOALS.contains(&name) && !chosen.iter().any(|goal| goal == name);
        let help = |name| Table::get().section(name).map_or("", |section| section.help);
        let names = goals::names().into_iter().chain(["completions", "man-pages"]);
        let mut found: Vec<Candidate> =
            names.filter(|name| can_follow(name)).map(|name| Candidate::new(name, help(name))).collect();
        let aliases = self.aliases.names().filter(|name| !name.starts_with('-'));
        found.extend(aliases.map(|name| Candidate::new(name, "An alias of this repository.")));
        if chosen.is_empty() {
            found.push(Candidate::new("help", "Show help about a goal, a section or a target type."));
        }
        found
    }

    /// The specs that can follow. The first word of a command line is a goal.
    fn specs(&self) -> Vec<Candidate> {
        match &self.context {
            Some(context) if !self.position.args.goals.is_empty() => specs::candidates(context, self.current),
            _ => Vec::new(),
        }
    }

    /// The words that can follow a goal whose words are neither goals nor specs.
    fn words_of(&self, goal: &str) -> Vec<Candidate> {
        let plain = |words: &[&str]| words.iter().map(|word| Candidate::new(*word, "")).collect();
        match goal {
            "completions" => plain(&SHELLS.map(|(name, _)| name)),
            "store" => plain(&goals::STORE_WORDS),
            "why" => self.specs(),
            ATTESTING_GOAL if self.position.args.takes_files() => Vec::new(),
            ATTESTING_GOAL if self.position.args.flags.is_empty() => {
                let names = goals::names().into_iter().filter(|name| goals::has_steps(name));
                plain(&names.chain(FILE_OPERATIONS).collect::<Vec<_>>())
            }
            ATTESTING_GOAL => self.specs(),
            _ => Vec::new(),
        }
    }
}

/// The topics of `help`.
fn topics() -> Vec<Candidate> {
    let sections = Table::get().sections().filter(|section| !section.is_inert);
    let sections = sections.map(|section| Candidate::new(section.name, section.help));
    let lists = HELP_LISTS.iter().map(|name| Candidate::new(*name, "A list."));
    let errors =
        troubleshooting::names().into_iter().map(|name| Candidate::new(name, "A section of the page on errors."));
    let kinds = kinds::list().map(|(name, help)| Candidate::new(name, help));
    sections.chain(lists).chain(kinds).chain(errors).collect()
}

/// The first sentence of a help text, without the full stop.
fn first_sentence(help: &str) -> String {
    let sentence = help.split_once(". ").map_or(help, |(first, _)| first);
    sentence.trim_end_matches('.').replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests;
