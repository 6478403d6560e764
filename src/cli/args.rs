//! Parses the command line into goals, flags, specs and passthrough arguments. Pure: the caller answers which paths exist.
//! The room `targets` interprets specs.

use crate::base::text::nearest;
use crate::cli::alias::Aliases;
use crate::cli::flag::{self, GLOBAL, Refused};
use crate::cli::pytest_words::PytestWords;
use crate::cli::troubleshooting;
use crate::config::table::renamed;
use crate::config::{Flag, Table};
use crate::targets::NodeId;

/// The parsed command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// By their current names, in the order in which they run.
    pub goals: Vec<String>,
    /// In the order of the command line.
    pub flags: Vec<Flag>,
    /// As written; an excluding spec begins with `-`.
    pub specs: Vec<String>,
    /// The words after `--`.
    pub passthrough: Vec<String>,
    /// The help to show instead of running goals.
    pub help: Option<Help>,
}

impl Args {
    /// Whether the words of this command line are files rather than specs.
    pub fn takes_files(&self) -> bool {
        let is_operation = |flag: &Flag| flag.scope == ATTESTING_GOAL && flag.option == "operation";
        self.goals == [ATTESTING_GOAL] && self.flags.iter().any(is_operation)
    }

    /// Whether a goal runs the tests that the specs select.
    fn runs_tests(&self) -> bool {
        // An attestation is about the tests of whole targets.
        let is_test = |flag: &Flag| flag.option == "goals" && flag.value == "test" && flag.scope != ATTESTING_GOAL;
        let of_goals = self.flags.iter().any(is_test);
        of_goals || self.goals.iter().any(|goal| TESTING_GOALS.contains(&goal.as_str()))
    }
}

/// A request for help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Help {
    /// The pages of some topics.
    Topics {
        /// Goals, sections, target types or the names of lists (`goals`, `targets`); empty for the overview.
        topics: Vec<String>,
        /// Also show options that have no effect.
        advanced: bool,
    },
    /// Everything, as JSON.
    All,
    /// The version.
    Version,
}

/// Why a command line is invalid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Words that are neither goals nor specs.
    #[error("unknown {}: {}", plural("goal", .words), quoted(.words))]
    UnknownGoals {
        /// In the order of the command line.
        words: Vec<String>,
        /// The goal that was probably meant.
        hint: Option<String>,
    },
    /// Flags that no option has.
    #[error("unknown {}: {}", plural("flag", .flags), quoted(.flags))]
    UnknownFlags {
        /// In the order of the command line.
        flags: Vec<String>,
        /// The flag that was probably meant.
        hint: Option<String>,
    },
    /// A flag without the value that it requires.
    #[error("missing value of flag `{flag}`")]
    NeedsValue {
        /// As written.
        flag: String,
    },
    /// Options of pytest, or the name of a test in a file, among the specs of `test`.
    #[error("`test` does not accept {}", quoted(.words))]
    PytestWords {
        /// In the order of the command line.
        words: Vec<String>,
        /// The line that was probably meant.
        hint: String,
    },
    /// The name of a test among the specs of goals that run no tests.
    #[error("`{spec}` names a test, which only goals that run tests accept")]
    NamedTest {
        /// As written.
        spec: String,
        /// The spec of its file.
        file: String,
    },
    /// Specs or flags without a goal.
    #[error("no goal specified")]
    NoGoal,
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownGoals { hint, .. } | Error::UnknownFlags { hint, .. } => hint.clone(),
            Error::PytestWords { hint, .. } => Some(hint.clone()),
            Error::NamedTest { file, .. } => Some(format!("write `{file}` for the file")),
            Error::NeedsValue { flag } => Some(format!("write `{flag}=VALUE`, without a space")),
            Error::NoGoal => {
                Some("specify a goal, such as `test ::` or `list src::`; `help goals` lists all goals".to_owned())
            }
        }
    }
}

/// Parses `argv`, which does not include the program's name. `exists` answers whether a path exists, relative to the
/// directory that specs are relative to.
pub fn parse(argv: &[String], table: &Table, aliases: &Aliases, exists: &dyn Fn(&str) -> bool) -> Result<Args, Error> {
    let args = Args::default();
    let (unknown, pytest) = (Unknown::default(), PytestWords::default());
    let mut reader = Reader { table, exists, args, context: GLOBAL, unknown, pytest };
    let mut words = argv.iter();
    'words: for word in words.by_ref() {
        if word == "--" {
            break;
        }
        let mut expanded = aliases.expand(word).into_iter();
        while let Some(word) = expanded.next() {
            reader.word(&word)?;
            if reader.args.goals == [PASSING_GOAL] {
                reader.args.passthrough.extend(expanded);
                break 'words;
            }
        }
    }
    reader.args.passthrough.extend(words.cloned());
    reader.own_flags()?;
    reader.finish()
}

/// What the parser knows after the first words of a command line.
#[derive(Debug)]
pub(super) struct Position<'t> {
    /// The parsed words.
    pub(super) args: Args,
    /// The goal whose flags need no prefix here.
    pub(super) context: &'t str,
    /// After `--`: the words are for a program.
    pub(super) is_passthrough: bool,
}

impl Position<'_> {
    /// The goal whose words are neither goals nor specs, if this is its position.
    pub(super) fn word_goal(&self) -> Option<&str> {
        let first = self.args.goals.first().map(String::as_str);
        first.filter(|goal| WORD_GOALS.contains(goal) || *goal == ATTESTING_GOAL)
    }
}

/// Parses the words before the one that is completed. Errors in them are ignored.
pub(super) fn position<'t>(words: &[String], table: &'t Table, aliases: &Aliases) -> Position<'t> {
    let (args, unknown, pytest) = (Args::default(), Unknown::default(), PytestWords::default());
    let mut reader = Reader { table, exists: &|_| true, args, context: GLOBAL, unknown, pytest };
    for word in words.iter().take_while(|word| *word != "--").flat_map(|word| aliases.expand(word)) {
        // The user may correct it later.
        let _ = reader.word(&word);
    }
    let is_passing = reader.args.goals == [PASSING_GOAL];
    let is_passthrough = is_passing || words.iter().any(|word| word == "--");
    Position { args: reader.args, context: reader.context, is_passthrough }
}

/// The flags that name settings files. They apply before the aliases in those files are known.
pub fn early_flags(argv: &[String], table: &Table) -> Vec<Flag> {
    let is_flag = |word: &String| word.starts_with('-');
    let passing = argv.iter().position(|word| !is_flag(word)).filter(|at| argv[*at] == PASSING_GOAL);
    let before_passthrough = argv[..passing.unwrap_or(argv.len())].iter().take_while(|word| *word != "--");
    let flags = before_passthrough.filter_map(|word| flag::read(table, word, GLOBAL).ok());
    flags.filter(|flag| flag.scope == GLOBAL && EARLY.contains(&flag.option.as_str())).collect()
}

/// The options of [`early_flags`].
const EARLY: [&str; 4] = ["pants_config_files", "pantsrc", "pantsrc_files", "profile"];

/// The lists that `help` can show. As the only word of the command line, each is short for `help WORD`.
pub const HELP_LISTS: [&str; 9] =
    ["goals", "targets", "subsystems", "tools", "symbols", "api-types", "global", "backends", troubleshooting::TOPIC];

/// The goal that passes all words after it on to a program, apart from its own flags at their beginning.
pub(super) const PASSING_GOAL: &str = "py";

/// The goals that repeat or audit the steps of the goals after them.
const GOALS_OF_GOALS: [&str; 2] = ["audit", "verify"];

/// Goals that Pants does not have and that are named like directories. After another goal, these words are specs.
pub(super) const FIRST_GOALS: [&str; 8] = [PASSING_GOAL, "audit", "shell", "store", "log", "replay", "verify", "why"];

/// The goal whose first words name other goals, whose results it attests, or what else it does.
pub(super) const ATTESTING_GOAL: &str = "attest";

/// What [`ATTESTING_GOAL`] does with files, instead of attesting results. Words after these are files.
pub(super) const FILE_OPERATIONS: [&str; 2] = ["keygen", "verify"];

/// Goals that run the tests that specs name.
const TESTING_GOALS: [&str; 2] = ["shell", "test"];

/// Goals whose arguments are arbitrary words rather than specs.
const WORD_GOALS: [&str; 8] =
    ["completions", "complete", "lockfile-merge", "log", "man-pages", "replay", "store", "why"];

/// The short flags for help.
const HELP_FLAGS: [&str; 2] = ["-h", "-V"];

struct Reader<'a> {
    table: &'a Table,
    exists: &'a dyn Fn(&str) -> bool,
    args: Args,
    /// The goal whose flags need no prefix at this position.
    context: &'a str,
    unknown: Unknown<'a>,
    pytest: PytestWords,
}

#[derive(Default)]
struct Unknown<'a> {
    words: Vec<String>,
    /// Each with the goal whose flags need no prefix at its position.
    flags: Vec<(String, &'a str)>,
}

impl Reader<'_> {
    fn word(&mut self, word: &str) -> Result<(), Error> {
        if self.args.help.is_none() && self.is_for_pytest(word) {
            return Ok(());
        }
        if let Some(Help::Topics { topics, .. }) = &mut self.args.help
            && !word.starts_with('-')
        {
            topics.push(word.to_owned());
        } else if let Some(flag) = self.operand(word) {
            self.flag(&flag)?;
        } else if let (Some(of), Some(goal)) = (self.goal_of_goals(), self.goal(word)) {
            self.args.flags.push(Flag {
                scope: of.to_owned(),
                option: "goals".to_owned(),
                value: goal.to_owned(),
                spelling: word.to_owned(),
            });
        } else if let Some(goal) = self.goal(word) {
            self.context = goal;
            // A goal that is specified twice runs once.
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

    /// The goal that repeats or audits the goals after it, if the command line begins with one.
    fn goal_of_goals(&self) -> Option<&'static str> {
        GOALS_OF_GOALS.into_iter().find(|goal| self.args.goals == [*goal])
    }

    /// The flag that a word after the attesting goal stands for.
    fn operand(&self, word: &str) -> Option<String> {
        let is_operand = self.args.goals == [ATTESTING_GOAL] && self.args.specs.is_empty() && !self.args.takes_files();
        let option = match FILE_OPERATIONS.contains(&word) {
            true => format!("operation={word}"),
            false => format!("goals={}", renamed::goal(word)?),
        };
        is_operand.then(|| format!("--{ATTESTING_GOAL}-{option}"))
    }

    /// The goal that a word names at this position.
    fn goal(&self, word: &str) -> Option<&'static str> {
        let is_spec = self.takes_words() || !self.is_bare() && FIRST_GOALS.contains(&word);
        if is_spec { None } else { renamed::goal(word) }
    }

    /// Reads the flags of the passing goal at the beginning of the words that it passes on.
    fn own_flags(&mut self) -> Result<(), Error> {
        while self.args.goals == [PASSING_GOAL]
            && let Some(word) = self.args.passthrough.first().filter(|word| word.starts_with("--resolve="))
        {
            let word = word.clone();
            self.flag(&word)?;
            self.args.passthrough.remove(0);
        }
        Ok(())
    }

    /// Takes the word if it is one for pytest rather than for the goal `test`.
    fn is_for_pytest(&mut self, word: &str) -> bool {
        let is_test = self.args.goals.iter().any(|goal| goal == "test");
        let is_flag = || flag::read(self.table, word, self.context) != Err(Refused::Unknown);
        let is_known = !self.pytest.expects_value() && (HELP_FLAGS.contains(&word) || is_flag());
        is_test && !is_known && self.pytest.take(word, self.exists)
    }

    fn flag(&mut self, spelling: &str) -> Result<(), Error> {
        match spelling {
            "--help" => self.request_help(false),
            "--help-advanced" => self.request_help(true),
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
            "-h" => self.request_help(false),
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

    /// Shows help about the goals of the command line, before and after this word.
    fn request_help(&mut self, advanced: bool) {
        self.args.help = Some(Help::Topics { topics: self.args.goals.clone(), advanced });
    }

    fn help_word(&mut self, word: &str) -> bool {
        match word {
            "help" => self.request_help(false),
            "help-advanced" => self.request_help(true),
            "help-all" => self.args.help = Some(Help::All),
            list if self.is_bare() && HELP_LISTS.contains(&list) && !(self.exists)(list) => {
                self.args.help = Some(Help::Topics { topics: vec![list.to_owned()], advanced: false });
            }
            _ => return false,
        }
        true
    }

    /// Whether the words after the first goal are neither goals nor specs.
    fn takes_words(&self) -> bool {
        self.args.goals.first().is_some_and(|goal| WORD_GOALS.contains(&goal.as_str()))
    }

    fn is_bare(&self) -> bool {
        self.args.goals.is_empty() && self.args.specs.is_empty()
    }

    fn spec(&mut self, word: &str) {
        let is_test = self.args.goals.iter().any(|goal| goal == "test");
        if let Some(files) = is_test.then(|| self.pytest.take_names(word)).flatten() {
            self.args.specs.extend(files);
            return;
        }
        let takes_words = self.takes_words();
        if self.args.takes_files() {
            self.args.specs.push(word.to_owned());
            return;
        }
        let (excludes, rest) = word.strip_prefix(['-', '!']).map_or((false, word), |rest| (true, rest));
        if !takes_words && !excludes && !word.contains(['/', '\\', '.', ':', '*', '#']) && !(self.exists)(word) {
            self.unknown.words.push(word.to_owned());
            return;
        }
        // The flags of a goal may follow its words.
        if !takes_words {
            self.context = GLOBAL;
        }
        self.args.specs.push(if excludes { format!("-{rest}") } else { word.to_owned() });
    }

    fn finish(self) -> Result<Args, Error> {
        let takes_words = self.takes_words();
        let Unknown { words, flags } = self.unknown;
        if self.args.help.is_some() {
            return Ok(self.args);
        }
        if !self.pytest.words().is_empty() {
            let hint = self.pytest.hint(&self.args.specs);
            return Err(Error::PytestWords { words: self.pytest.words().to_vec(), hint });
        }
        if let Some(first) = words.first() {
            let goals = self.table.goals().map(|goal| goal.name);
            let hint = match nearest(first, goals) {
                Some(near) => format!("did you mean `{near}`? write `./{first}` for a directory"),
                None => format!("`help goals` lists all goals; write `./{first}` for a directory"),
            };
            return Err(Error::UnknownGoals { words, hint: Some(hint) });
        }
        if !flags.is_empty() {
            let hints =
                flags.iter().find_map(|(flag, context)| flag::suggest(self.table, flag, context, &self.args.goals));
            let hint = hints.unwrap_or_else(|| {
                "`help GOAL` lists the flags of a goal, `help global` the flags of every goal".to_owned()
            });
            let flags = flags.into_iter().map(|(flag, _)| flag).collect();
            return Err(Error::UnknownFlags { flags, hint: Some(hint) });
        }
        if self.args.goals.is_empty() && self.args != Args::default() {
            return Err(Error::NoGoal);
        }
        if !takes_words && !self.args.runs_tests() {
            let named = self.args.specs.iter().find_map(|spec| Some((spec, NodeId::parse(spec)?)));
            if let Some((spec, node)) = named {
                return Err(Error::NamedTest { spec: spec.clone(), file: node.file.to_owned() });
            }
        }
        Ok(self.args)
    }
}

fn plural(word: &str, items: &[String]) -> String {
    if items.len() == 1 { word.to_owned() } else { format!("{word}s") }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
