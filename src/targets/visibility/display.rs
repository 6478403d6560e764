//! Rules in the form that `peek` of Pants shows: the rules about a target, and their decision about a dependency.

use super::{Action, Decision, Endpoint, Rule, Side, TargetRules};

/// The decision of the rules of both ends about a dependency.
pub struct RuleApplication<'v> {
    /// `ALLOW`, `WARN` or `DENY`.
    pub action: &'static str,
    /// The deciding rule of each end, or the directory of an end without rules.
    pub description: String,
    /// The target type of the dependent, as rules match it.
    pub from_kind: &'v str,
    /// The target type of the dependency, as rules match it.
    pub to_kind: &'v str,
}

impl<'v> Endpoint<'v> {
    /// The rules of one side that apply to the target. `None` if no rule set matches it.
    pub fn rules(&self, side: Side) -> Option<Vec<String>> {
        let target_rules = match side {
            Side::Dependencies => self.dependency_rules.as_ref(),
            Side::Dependents => self.dependent_rules.as_ref(),
        };
        Some(target_rules?.set?.rules.iter().map(format_rule).collect())
    }

    /// Applies the rules of both ends to a dependency on `to`.
    pub fn apply_rules(&self, to: &Endpoint<'v>) -> RuleApplication<'v> {
        let out = self.dependency_rules.as_ref().map(|target_rules| {
            (target_rules, target_rules.decide(Side::Dependencies, &self.attributes, &to.attributes))
        });
        let into = to.dependent_rules.as_ref().map(|target_rules| {
            (target_rules, target_rules.decide(Side::Dependents, &to.attributes, &self.attributes))
        });
        let action = |decision: &Option<(&TargetRules<'_>, Decision<'_>)>| {
            decision.as_ref().map_or(Action::Allow, |(_, decision)| decision.action())
        };
        let action = match (action(&out), action(&into)) {
            (_, Action::Deny) => Action::Deny,
            (Action::Allow, into) => into,
            (out, _) => out,
        };
        RuleApplication {
            action: match action {
                Action::Allow => "ALLOW",
                Action::Warn => "WARN",
                Action::Deny => "DENY",
            },
            description: format!("{} -> {}", describe_decision(self, &out), describe_decision(to, &into)),
            from_kind: self.attributes.kind,
            to_kind: to.attributes.kind,
        }
    }
}

/// `src/app/BUILD[rule]`
fn describe_decision(end: &Endpoint<'_>, decision: &Option<(&TargetRules<'_>, Decision<'_>)>) -> String {
    let found = decision.as_ref().and_then(|(target_rules, decision)| Some((target_rules.set?, decision.rule)));
    match found {
        Some((set, rule)) => format!("{}[{}]", set.file, rule.map_or_else(|| "None".to_owned(), format_rule)),
        None => end.target.address.dir.as_str().to_owned(),
    }
}

fn format_rule(rule: &Rule) -> String {
    format!("{}{}", rule.action.sign(), rule.pattern.canonical)
}
