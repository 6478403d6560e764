//! Visibility rules: what the targets of a directory may depend on, and who may depend on them. Declared values to
//! rules, and two targets to a ruling. Where dependencies come from is not known here.

mod pattern;
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::{Diagnostic, RulesCall, Value};
use crate::targets::graph::Rules;
use crate::targets::{Address, Target, TargetGraph};

use pattern::{Observation, Pattern};

/// What a rule makes of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Allow,
    Warn,
    Deny,
}

impl Action {
    /// As it stands before a pattern.
    fn sign(self) -> &'static str {
        match self {
            Action::Allow => "",
            Action::Warn => "?",
            Action::Deny => "!",
        }
    }
}

/// The two lists of rules that a BUILD file can declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Dependencies,
    Dependents,
}

impl Side {
    fn symbol(self) -> &'static str {
        match self {
            Side::Dependencies => "__dependencies_rules__",
            Side::Dependents => "__dependents_rules__",
        }
    }
}

/// Every directory's rules, inherited ones included. Empty where no file declares any.
#[derive(Clone, Debug, Default)]
pub struct Visibility {
    /// Whether a backend is enabled that gives rules their meaning.
    is_in_use: bool,
    dirs: BTreeMap<RelPath, Dir>,
}

#[derive(Clone, Debug, Default)]
struct Dir {
    dependencies: Option<Arc<Book>>,
    dependents: Option<Arc<Book>>,
}

/// The rules that apply in a directory, and the call that declared the first of them.
#[derive(Debug)]
struct Book {
    file: RelPath,
    place: Place,
    sets: Vec<Arc<RuleSet>>,
}

#[derive(Debug)]
struct RuleSet {
    /// The BUILD file that declared it.
    file: RelPath,
    selectors: Vec<Pattern>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    action: Action,
    pattern: Pattern,
}

/// A target with the rules about it, found once for all dependencies that it is an end of.
pub struct End<'v> {
    target: &'v Target,
    seen: Observation<'v>,
    /// About what it depends on.
    out: Option<Page<'v>>,
    /// About what depends on it.
    into: Option<Page<'v>>,
}

/// The rules that apply to a target, and of their sets the one that is about it.
struct Page<'v> {
    book: &'v Book,
    set: Option<&'v RuleSet>,
}

/// What one side says of a dependency.
struct Word<'v> {
    side: Side,
    book: &'v Book,
    /// The rule that decided; none where no rule is about it.
    rule: Option<&'v Rule>,
}

impl Visibility {
    pub fn in_use() -> Visibility {
        Visibility { is_in_use: true, ..Visibility::default() }
    }

    pub fn is_in_use(&self) -> bool {
        self.is_in_use
    }

    /// Reads the calls of one directory's BUILD files. Directories come sorted, so that those above are known.
    pub fn declare<'f>(
        &mut self,
        dir: &RelPath,
        files: impl IntoIterator<Item = (&'f RelPath, &'f Rules)>,
    ) -> Vec<Diagnostic> {
        let above = dir.ancestors().find_map(|above| self.dirs.get(&above)).cloned().unwrap_or_default();
        let mut diagnostics = Vec::new();
        let (mut dependencies, mut dependents) = (None, None);
        for (file, rules) in files {
            let mut read =
                |side: Side, calls: &[RulesCall], book: &mut Option<Arc<Book>>, inherited: &Option<Arc<Book>>| {
                    for call in calls {
                        match Book::read(file, dir, call, inherited.as_deref()) {
                            Ok(None) => {}
                            Ok(Some(_)) if book.is_some() => {
                                let message = format!("`{}` is called a second time in this directory", side.symbol());
                                let hint = "give all rule sets to one call";
                                diagnostics.push(Diagnostic::error(file, call.place, message).hint(hint));
                            }
                            Ok(Some(read)) => *book = Some(Arc::new(read)),
                            Err(why) => {
                                let message = format!("`{}`: {why}", side.symbol());
                                diagnostics.push(Diagnostic::error(file, call.place, message));
                            }
                        }
                    }
                };
            read(Side::Dependencies, &rules.dependencies, &mut dependencies, &above.dependencies);
            read(Side::Dependents, &rules.dependents, &mut dependents, &above.dependents);
        }
        let here =
            Dir { dependencies: dependencies.or(above.dependencies), dependents: dependents.or(above.dependents) };
        if here.dependencies.is_some() || here.dependents.is_some() {
            self.dirs.insert(dir.clone(), here);
        }
        diagnostics
    }

    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty()
    }

    /// A target as one end of dependencies. As in Pants, rules see it as it was written: a generated one has the type
    /// and the tags of its generator.
    pub fn end<'g>(&'g self, graph: &'g TargetGraph, target: &'g Target) -> End<'g> {
        let (dir, seen) = (self.dir_of(graph, target), seen(graph, target));
        let page = |book: Option<&'g Arc<Book>>| book.map(|book| book.page(&seen));
        let (out, into) =
            (page(dir.and_then(|dir| dir.dependencies.as_ref())), page(dir.and_then(|dir| dir.dependents.as_ref())));
        End { target, out, into, seen }
    }

    /// The rules of the directory that the target's file is in, if it has BUILD files; else of the one it is written in.
    fn dir_of(&self, graph: &TargetGraph, target: &Target) -> Option<&Dir> {
        let resident = target.address.resident_dir();
        let dir = if graph.has_build_file(&resident) { &resident } else { &target.address.dir };
        self.dirs.get(dir).or_else(|| dir.ancestors().find_map(|above| self.dirs.get(&above)))
    }
}

impl Book {
    /// A call without any rule set says nothing.
    fn read(file: &RelPath, dir: &RelPath, call: &RulesCall, inherited: Option<&Book>) -> Result<Option<Book>, String> {
        let is_set = |value: &&Value| {
            !matches!(value, Value::None | Value::Bool(false)) && value.items().is_none_or(|items| !items.is_empty())
        };
        let mut sets = Vec::new();
        for ruleset in call.rulesets.iter().filter(is_set) {
            sets.push(Arc::new(RuleSet::read(ruleset, file, dir)?));
        }
        if sets.is_empty() {
            return Ok(None);
        }
        if call.extend {
            sets.extend(inherited.into_iter().flat_map(|book| book.sets.iter().cloned()));
        }
        Ok(Some(Book { file: file.clone(), place: call.place, sets }))
    }

    /// The first set whose selectors fit decides.
    fn page(&self, own: &Observation<'_>) -> Page<'_> {
        let set = self.sets.iter().find(|set| set.selectors.iter().any(|selector| selector.matches(own, &own.dir)));
        Page { book: self, set: set.map(Arc::as_ref) }
    }
}

impl<'v> Page<'v> {
    /// In a set, the first rule that fits decides.
    fn word(&self, side: Side, own: &Observation<'_>, other: &Observation<'_>) -> Word<'v> {
        let rule = self.set.and_then(|set| set.rules.iter().find(|rule| rule.pattern.matches(other, &own.dir)));
        Word { side, book: self.book, rule }
    }
}

impl End<'_> {
    /// What is to be told of this target's dependency on another: an error where it is denied, a warning where a rule
    /// says so.
    pub fn ruling(&self, to: &End<'_>) -> Option<Diagnostic> {
        let out = self.out.as_ref().map(|page| page.word(Side::Dependencies, &self.seen, &to.seen));
        let into = to.into.as_ref().map(|page| page.word(Side::Dependents, &to.seen, &self.seen));
        let action = |word: &Option<Word>| word.as_ref().map_or(Action::Allow, Word::action);
        let (worst, deciding) = match (action(&out), action(&into)) {
            (Action::Deny, _) => (Action::Deny, &out),
            (_, Action::Deny) => (Action::Deny, &into),
            (Action::Warn, _) => (Action::Warn, &out),
            (_, Action::Warn) => (Action::Warn, &into),
            _ => return None,
        };
        let book = deciding.as_ref()?.book;
        let words: Vec<String> = [&out, &into].into_iter().flatten().map(Word::to_string).collect();
        let (from, to) = (named(&self.seen, self.target), named(&to.seen, to.target));
        let verb = if worst == Action::Warn { "should not" } else { "may not" };
        let message = format!("{from} {verb} depend on {to}: {}", words.join("; "));
        Some(match worst {
            Action::Warn => Diagnostic::warning(&book.file, book.place, message),
            _ => Diagnostic::error(&book.file, book.place, message).hint(
                "allow it in these rules, or remove the dependency; `--no-visibility-enforce` looks away for once",
            ),
        })
    }
}

impl RuleSet {
    fn read(value: &Value, file: &RelPath, dir: &RelPath) -> Result<RuleSet, String> {
        let refuse = || "a rule set is a tuple of a selector and one rule or more".to_owned();
        let items = value.items().filter(|items| items.len() > 1).ok_or_else(refuse)?;
        let (selectors, rules) = items.split_at(1);
        let mut set = RuleSet { file: file.clone(), selectors: Vec::new(), rules: Vec::new() };
        for selector in flattened(selectors)? {
            set.selectors.push(Pattern::read(&selector, dir)?);
        }
        for rule in flattened(rules)? {
            let (action, pattern) = match &rule {
                Value::Str(text) => match text.chars().next() {
                    Some('!') => (Action::Deny, Value::Str(text[1..].to_owned())),
                    Some('?') => (Action::Warn, Value::Str(text[1..].to_owned())),
                    _ => (Action::Allow, rule.clone()),
                },
                _ => (action_of(&rule)?, rule.clone()),
            };
            set.rules.push(Rule { action, pattern: Pattern::read(&pattern, dir)? });
        }
        Ok(set)
    }
}

/// The action that a rule names which is written as a dict.
fn action_of(rule: &Value) -> Result<Action, String> {
    match pattern::entry(rule, "action").and_then(Value::as_str) {
        None | Some("allow") => Ok(Action::Allow),
        Some("warn") => Ok(Action::Warn),
        Some("deny") => Ok(Action::Deny),
        Some(other) => Err(format!("`{other}` is no action: there are `allow`, `warn` and `deny`")),
    }
}

/// Lists in lists as one; texts of several lines as several; what is empty or begins with `#` left out.
fn flattened(values: &[Value]) -> Result<Vec<Value>, String> {
    let mut out = Vec::new();
    for value in values {
        match value {
            Value::Str(text) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                out.extend(lines.map(|line| Value::Str(line.to_owned())));
            }
            Value::Dict(_) => out.push(value.clone()),
            Value::List(items) | Value::Tuple(items) => out.extend(flattened(items)?),
            Value::None => {}
            _ => return Err("selectors and rules are texts and dicts".to_owned()),
        }
    }
    Ok(out)
}

impl Word<'_> {
    /// Rules that say nothing of a target deny it.
    fn action(&self) -> Action {
        self.rule.map_or(Action::Deny, |rule| rule.action)
    }
}

impl std::fmt::Display for Word<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Word { side, book, rule } = self;
        match rule {
            Some(rule) => {
                write!(out, "rule `{}{}`", rule.action.sign(), rule.pattern)?;
            }
            None => write!(out, "no rule")?,
        }
        write!(out, " of `{}` at {}:{}", side.symbol(), book.file, book.place)
    }
}

fn named(seen: &Observation<'_>, target: &Target) -> String {
    format!("the `{}` {}", seen.kind, target.address)
}

/// A target as rules see it.
fn seen<'g>(graph: &'g TargetGraph, target: &'g Target) -> Observation<'g> {
    let written = target.generator.as_ref().and_then(|generator| graph.get(generator)).unwrap_or(target);
    Observation {
        kind: &written.kind,
        name: &target.address.name,
        path: path_of(&target.address),
        dir: target.address.resident_dir(),
        tags: written.fields.get("tags").map(Value::strings).unwrap_or_default(),
    }
}

/// A file's path; of what else is generated its address as a path; of the rest the directory.
fn path_of(address: &Address) -> String {
    match (address.file_path(), &address.generated) {
        (Some(file), _) => file.to_string(),
        (None, Some(_)) => address.to_string().replace(':', "/").trim_start_matches('/').to_owned(),
        (None, None) => address.dir.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests;
