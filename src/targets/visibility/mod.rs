//! Visibility rules: which targets the targets of a directory may depend on, and which targets may depend on them.
//! Parses declared rules and checks single dependencies; collecting the dependencies is the task of the caller.

mod display;
mod pattern;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::{Diagnostic, RulesCall, Value};
use crate::targets::graph::Rules;
use crate::targets::{Address, Target, TargetGraph};

use pattern::{Pattern, TargetAttributes};

/// The action of a rule on a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The dependency is allowed.
    Allow,
    /// The dependency is allowed with a warning.
    Warn,
    /// The dependency is an error.
    Deny,
}

impl Action {
    /// The prefix of a pattern that means this action.
    fn sign(self) -> &'static str {
        match self {
            Action::Allow => "",
            Action::Warn => "?",
            Action::Deny => "!",
        }
    }
}

/// The two kinds of rules that a BUILD file can declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Rules about the dependencies of a target.
    Dependencies,
    /// Rules about the dependents of a target.
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

/// The rules of all directories, including inherited ones. Empty if no BUILD file declares any.
#[derive(Clone, Debug, Default)]
pub struct Visibility {
    /// Whether a backend is enabled that enforces the rules.
    is_enabled: bool,
    dirs: BTreeMap<RelPath, Dir>,
}

#[derive(Clone, Debug, Default)]
struct Dir {
    dependencies: Option<Arc<DirRules>>,
    dependents: Option<Arc<DirRules>>,
}

/// The rule sets of one kind that apply in a directory, and the position of the call that declares them.
#[derive(Debug)]
struct DirRules {
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

/// A target with the rules that apply to it, selected once for all its dependencies and dependents.
pub struct Endpoint<'v> {
    target: &'v Target,
    attributes: TargetAttributes<'v>,
    /// The rules about its dependencies.
    dependency_rules: Option<TargetRules<'v>>,
    /// The rules about its dependents.
    dependent_rules: Option<TargetRules<'v>>,
}

/// The rules of the directory of a target, and the rule set whose selectors match the target.
struct TargetRules<'v> {
    rules: &'v DirRules,
    set: Option<&'v RuleSet>,
}

/// The decision of one side about a dependency.
struct Decision<'v> {
    side: Side,
    rules: &'v DirRules,
    /// The deciding rule. `None` if no rule matches.
    rule: Option<&'v Rule>,
}

impl Visibility {
    /// No rules yet, with enforcement enabled.
    pub fn enabled() -> Visibility {
        Visibility { is_enabled: true, ..Visibility::default() }
    }

    /// Whether a backend is enabled that enforces the rules.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// Parses the rules in the BUILD files of one directory. Must be called in sorted order of directories, since rules
    /// are inherited. Returns errors about invalid rules.
    pub fn declare<'f>(
        &mut self,
        dir: &RelPath,
        files: impl IntoIterator<Item = (&'f RelPath, &'f Rules)>,
    ) -> Vec<Diagnostic> {
        let above = dir.ancestors().find_map(|above| self.dirs.get(&above)).cloned().unwrap_or_default();
        let mut diagnostics = Vec::new();
        let (mut dependencies, mut dependents) = (None, None);
        for (file, rules) in files {
            let mut read = |side: Side,
                            calls: &[RulesCall],
                            rules: &mut Option<Arc<DirRules>>,
                            inherited: &Option<Arc<DirRules>>| {
                for call in calls {
                    match DirRules::read(file, dir, call, inherited.as_deref()) {
                        Ok(None) => {}
                        Ok(Some(_)) if rules.is_some() => {
                            let message = format!("`{}` is called more than once in this directory", side.symbol());
                            let hint = "pass all rule sets to one call";
                            diagnostics.push(Diagnostic::error(file, call.place, message).hint(hint));
                        }
                        Ok(Some(read)) => *rules = Some(Arc::new(read)),
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

    /// Whether there are no rules at all.
    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty()
    }

    /// A target as one end of dependencies. As in Pants, rules match a generated target by the type and the tags of its
    /// generator.
    pub fn end<'g>(&'g self, graph: &'g TargetGraph, target: &'g Target) -> Endpoint<'g> {
        let (dir, attributes) = (self.find_dir(graph, target), attributes(graph, target));
        let target_rules = |rules: Option<&'g Arc<DirRules>>| rules.map(|rules| rules.select_rules(&attributes));
        let (dependency_rules, dependent_rules) = (
            target_rules(dir.and_then(|dir| dir.dependencies.as_ref())),
            target_rules(dir.and_then(|dir| dir.dependents.as_ref())),
        );
        Endpoint { target, dependency_rules, dependent_rules, attributes }
    }

    /// The rules of the directory of the target's file if that has BUILD files, else of the directory that declares it.
    fn find_dir(&self, graph: &TargetGraph, target: &Target) -> Option<&Dir> {
        let resident = target.address.resident_dir();
        let dir = if graph.has_build_file(&resident) { &resident } else { &target.address.dir };
        self.dirs.get(dir).or_else(|| dir.ancestors().find_map(|above| self.dirs.get(&above)))
    }
}

impl DirRules {
    /// Parses one call. `None` for a call without rule sets, which has no effect.
    fn read(
        file: &RelPath,
        dir: &RelPath,
        call: &RulesCall,
        inherited: Option<&DirRules>,
    ) -> Result<Option<DirRules>, String> {
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
            sets.extend(inherited.into_iter().flat_map(|rules| rules.sets.iter().cloned()));
        }
        Ok(Some(DirRules { file: file.clone(), place: call.place, sets }))
    }

    /// Selects the first rule set with a matching selector.
    fn select_rules(&self, own: &TargetAttributes<'_>) -> TargetRules<'_> {
        let set = self.sets.iter().find(|set| set.selectors.iter().any(|selector| selector.matches(own, &own.dir)));
        TargetRules { rules: self, set: set.map(Arc::as_ref) }
    }
}

impl<'v> TargetRules<'v> {
    /// Applies the first matching rule of the set.
    fn decide(&self, side: Side, own: &TargetAttributes<'_>, other: &TargetAttributes<'_>) -> Decision<'v> {
        let rule = self.set.and_then(|set| set.rules.iter().find(|rule| rule.pattern.matches(other, &own.dir)));
        Decision { side, rules: self.rules, rule }
    }
}

impl Endpoint<'_> {
    /// Checks a dependency of this target on another. Returns an error if a rule denies it, a warning if a rule says
    /// so, and `None` if it is allowed.
    pub fn check_dependency(&self, to: &Endpoint<'_>) -> Option<Diagnostic> {
        let out = self
            .dependency_rules
            .as_ref()
            .map(|target_rules| target_rules.decide(Side::Dependencies, &self.attributes, &to.attributes));
        let into = to
            .dependent_rules
            .as_ref()
            .map(|target_rules| target_rules.decide(Side::Dependents, &to.attributes, &self.attributes));
        let action = |decision: &Option<Decision>| decision.as_ref().map_or(Action::Allow, Decision::action);
        let (worst, deciding) = match (action(&out), action(&into)) {
            (Action::Deny, _) => (Action::Deny, &out),
            (_, Action::Deny) => (Action::Deny, &into),
            (Action::Warn, _) => (Action::Warn, &out),
            (_, Action::Warn) => (Action::Warn, &into),
            _ => return None,
        };
        let rules = deciding.as_ref()?.rules;
        let decisions: Vec<String> = [&out, &into].into_iter().flatten().map(Decision::to_string).collect();
        let (from, to) = (describe_target(&self.attributes, self.target), describe_target(&to.attributes, to.target));
        let verb = if worst == Action::Warn { "should not" } else { "may not" };
        let message = format!("{from} {verb} depend on {to}: {}", decisions.join("; "));
        Some(match worst {
            Action::Warn => Diagnostic::warning(&rules.file, rules.place, message),
            _ => Diagnostic::error(&rules.file, rules.place, message).hint(
                "allow it in these rules, or remove the dependency; `--no-visibility-enforce` disables the check for one run",
            ),
        })
    }
}

impl RuleSet {
    fn read(value: &Value, file: &RelPath, dir: &RelPath) -> Result<RuleSet, String> {
        let refuse = || "a rule set must be a tuple of a selector and at least one rule".to_owned();
        let items = value.items().filter(|items| items.len() > 1).ok_or_else(refuse)?;
        let (selectors, rules) = items.split_at(1);
        let mut set = RuleSet { file: file.clone(), selectors: Vec::new(), rules: Vec::new() };
        for selector in flatten(selectors)? {
            set.selectors.push(Pattern::read(&selector, dir)?);
        }
        for rule in flatten(rules)? {
            let (action, pattern) = match &rule {
                Value::Str(text) => match text.chars().next() {
                    Some('!') => (Action::Deny, Value::Str(text[1..].to_owned())),
                    Some('?') => (Action::Warn, Value::Str(text[1..].to_owned())),
                    _ => (Action::Allow, rule.clone()),
                },
                _ => (parse_action(&rule)?, rule.clone()),
            };
            set.rules.push(Rule { action, pattern: Pattern::read(&pattern, dir)? });
        }
        Ok(set)
    }
}

/// The action of a rule that is written as a dict.
fn parse_action(rule: &Value) -> Result<Action, String> {
    match pattern::entry(rule, "action").and_then(Value::as_str) {
        None | Some("allow") => Ok(Action::Allow),
        Some("warn") => Ok(Action::Warn),
        Some("deny") => Ok(Action::Deny),
        Some(other) => Err(format!("unknown action `{other}`: use `allow`, `warn` or `deny`")),
    }
}

/// Flattens nested lists and splits strings into lines. Empty lines and comments are omitted.
fn flatten(values: &[Value]) -> Result<Vec<Value>, String> {
    let mut out = Vec::new();
    for value in values {
        match value {
            Value::Str(text) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                out.extend(lines.map(|line| Value::Str(line.to_owned())));
            }
            Value::Dict(_) => out.push(value.clone()),
            Value::List(items) | Value::Tuple(items) => out.extend(flatten(items)?),
            Value::None => {}
            _ => return Err("selectors and rules must be strings or dicts".to_owned()),
        }
    }
    Ok(out)
}

impl Decision<'_> {
    /// The action of the deciding rule. A dependency that no rule matches is denied.
    fn action(&self) -> Action {
        self.rule.map_or(Action::Deny, |rule| rule.action)
    }
}

impl std::fmt::Display for Decision<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Decision { side, rules, rule } = self;
        match rule {
            Some(rule) => {
                write!(out, "rule `{}{}`", rule.action.sign(), rule.pattern)?;
            }
            None => write!(out, "no rule")?,
        }
        write!(out, " of `{}` at {}:{}", side.symbol(), rules.file, rules.place)
    }
}

fn describe_target(attributes: &TargetAttributes<'_>, target: &Target) -> String {
    format!("the `{}` {}", attributes.kind, target.address)
}

/// The attributes of a target that rules match.
fn attributes<'g>(graph: &'g TargetGraph, target: &'g Target) -> TargetAttributes<'g> {
    let written = target.generator.as_ref().and_then(|generator| graph.get(generator)).unwrap_or(target);
    TargetAttributes {
        kind: &written.kind,
        name: &target.address.name,
        path: rule_path(&target.address),
        dir: target.address.resident_dir(),
        tags: written.strings("tags"),
    }
}

/// The path that rules match: that of the file, for other generated targets the address as a path, else the directory.
fn rule_path(address: &Address) -> String {
    match (address.file_path(), &address.generated) {
        (Some(file), _) => file.to_string(),
        (None, Some(_)) => address.to_string().replace(':', "/").trim_start_matches('/').to_owned(),
        (None, None) => address.dir.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests;
