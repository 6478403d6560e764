//! From the words of the command line to goals, flags, specs and what is passed through. Pure: what exists on disk is
//! asked of the caller. What specs mean is known in `target`.

use crate::base::text::nearest;
use crate::cli::alias::Aliases;
use crate::cli::flag::{self, GLOBAL, Refused};
use crate::config::table::renamed;
use crate::config::{Flag, Table};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// By today's names, in the order in which they run.
    pub goals: Vec<String>,
    pub flags: Vec<Flag>,
    /// As written; one that excludes begins with `-`.
    pub specs: Vec<String>,
    /// What followed `--`.
    pub passthrough: Vec<String>,
    /// Asked for instead of a run.
    pub help: Option<Help>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Help {
    /// Goals, sections, target types or the names of lists (`goals`, `targets`); none is an overview.
    Topics {
        topics: Vec<String>,
        advanced: bool,
    },
    /// Everything, as JSON.
    All,
    Version,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("unknown {}: {}", plural("goal", .words), quoted(.words))]
    UnknownGoals { words: Vec<String>, hint: Option<String> },
    #[error("unknown {}: {}", plural("flag", .flags), quoted(.flags))]
    UnknownFlags { flags: Vec<String>, hint: Option<String> },
    #[error("flag `{flag}` has no value")]
    NeedsValue { flag: String },
    #[error("no goal is named")]
    NoGoal,
}

impl Error {
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownGoals { hint, .. } | Error::UnknownFlags { hint, .. } => hint.clone(),
            Error::NeedsValue { flag } => Some(format!("write `{flag}=VALUE`, without a space")),
            Error::NoGoal => Some("name one, as in `test ::` or `list src::`; `goals` lists them".to_owned()),
        }
    }
}

/// `exists` says whether a path, relative to where specs begin, exists.
pub fn parse(argv: &[String], table: &Table, aliases: &Aliases, exists: &dyn Fn(&str) -> bool) -> Result<Args, Error> {
    let mut reader = Reader { table, exists, args: Args::default(), context: GLOBAL, unknown: Unknown::default() };
    let mut words = argv.iter();
    for word in words.by_ref() {
        if word == "--" {
            break;
        }
        for word in aliases.expand(word) {
            reader.word(&word)?;
        }
    }
    reader.args.passthrough = words.cloned().collect();
    reader.finish()
}

/// The flags that say which settings files there are; they count before the aliases of those files are known.
pub fn early_flags(argv: &[String], table: &Table) -> Vec<Flag> {
    let before_passthrough = argv.iter().take_while(|word| *word != "--");
    let flags = before_passthrough.filter_map(|word| flag::read(table, word, GLOBAL).ok());
    flags.filter(|flag| flag.scope == GLOBAL && EARLY.contains(&flag.option.as_str())).collect()
}

const EARLY: [&str; 3] = ["pants_config_files", "pantsrc", "pantsrc_files"];

/// Lists that `help` knows; alone on the command line each is a short form of `help WORD`.
pub const HELP_LISTS: [&str; 8] =
    ["goals", "targets", "subsystems", "tools", "symbols", "api-types", "global", "backends"];

/// Goals whose arguments are words of their own.
const WORD_GOALS: [&str; 2] = ["completions", "complete"];

struct Reader<'a> {
    table: &'a Table,
    exists: &'a dyn Fn(&str) -> bool,
    args: Args,
    /// The goal whose flags are short here.
    context: &'a str,
    unknown: Unknown<'a>,
}

#[derive(Default)]
struct Unknown<'a> {
    words: Vec<String>,
    /// Each with the goal whose flags were short there.
    flags: Vec<(String, &'a str)>,
}

impl Reader<'_> {
    fn word(&mut self, word: &str) -> Result<(), Error> {
        if let Some(Help::Topics { topics, .. }) = &mut self.args.help
            && !word.starts_with('-')
        {
            topics.push(word.to_owned());
        } else if let Some(goal) = renamed::goal(word) {
            self.context = goal;
            // Named twice, it still runs once.
            if !self.args.goals.iter().any(|named| named == goal) {
                self.args.goals.push(goal.to_owned());
            }
        } else if word.starts_with("--") {
            self.flag(word)?;
        } else if !self.short_flag(word)? && !self.help_word(word) {
            self.spec(word);
        }
        Ok(())
    }

    fn flag(&mut self, spelling: &str) -> Result<(), Error> {
        match spelling {
            "--help" => self.ask(false),
            "--help-advanced" => self.ask(true),
            "--help-all" => self.args.help = Some(Help::All),
            "--version" => self.args.help = Some(Help::Version),
            _ => match flag::read(self.table, spelling, self.context) {
                Ok(flag) => self.args.flags.push(flag),
                Err(Refused::NeedsValue) => return Err(Error::NeedsValue { flag: spelling.to_owned() }),
                Err(Refused::Unknown) => self.unknown.flags.push((spelling.to_owned(), self.context)),
            },
        }
        Ok(())
    }

    fn short_flag(&mut self, word: &str) -> Result<bool, Error> {
        match word {
            "-h" => self.ask(false),
            "-v" | "-V" => self.args.help = Some(Help::Version),
            _ => {
                let Some(level) = word.strip_prefix("-l").map(|rest| rest.strip_prefix('=').unwrap_or(rest)) else {
                    return Ok(false);
                };
                if !["trace", "debug", "info", "warn", "error"].contains(&level) {
                    return Ok(false);
                }
                self.flag(&format!("--level={level}"))?;
            }
        }
        Ok(true)
    }

    /// Goals that were named before, or will be named, are what is asked about.
    fn ask(&mut self, advanced: bool) {
        self.args.help = Some(Help::Topics { topics: self.args.goals.clone(), advanced });
    }

    fn help_word(&mut self, word: &str) -> bool {
        match word {
            "help" => self.ask(false),
            "help-advanced" => self.ask(true),
            "help-all" => self.args.help = Some(Help::All),
            list if self.is_bare() && HELP_LISTS.contains(&list) && !(self.exists)(list) => {
                self.args.help = Some(Help::Topics { topics: vec![list.to_owned()], advanced: false });
            }
            _ => return false,
        }
        true
    }

    fn is_bare(&self) -> bool {
        self.args.goals.is_empty() && self.args.specs.is_empty()
    }

    fn spec(&mut self, word: &str) {
        let takes_words = self.args.goals.first().is_some_and(|goal| WORD_GOALS.contains(&goal.as_str()));
        let (excludes, rest) = word.strip_prefix(['-', '!']).map_or((false, word), |rest| (true, rest));
        if !takes_words && !excludes && !word.contains(['/', '\\', '.', ':', '*', '#']) && !(self.exists)(word) {
            self.unknown.words.push(word.to_owned());
            return;
        }
        self.context = GLOBAL;
        self.args.specs.push(if excludes { format!("-{rest}") } else { word.to_owned() });
    }

    fn finish(self) -> Result<Args, Error> {
        let Unknown { words, flags } = self.unknown;
        if self.args.help.is_some() {
            return Ok(self.args);
        }
        if let Some(first) = words.first() {
            let goals = self.table.goals().map(|goal| goal.name);
            let hint = match nearest(first, goals) {
                Some(near) => format!("did you mean `{near}`? a directory is written `./{first}`"),
                None => format!("`goals` lists the goals; a directory is written `./{first}`"),
            };
            return Err(Error::UnknownGoals { words, hint: Some(hint) });
        }
        if !flags.is_empty() {
            let hints =
                flags.iter().find_map(|(flag, context)| flag::suggest(self.table, flag, context, &self.args.goals));
            let hint = hints
                .unwrap_or_else(|| "`help GOAL` lists a goal's flags, `help global` those of every goal".to_owned());
            let flags = flags.into_iter().map(|(flag, _)| flag).collect();
            return Err(Error::UnknownFlags { flags, hint: Some(hint) });
        }
        if self.args.goals.is_empty() && self.args != Args::default() {
            return Err(Error::NoGoal);
        }
        Ok(self.args)
    }
}

fn plural(word: &str, of: &[String]) -> String {
    if of.len() == 1 { word.to_owned() } else { format!("{word}s") }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
