//! Rules as Pants shows them: those about a target, and what they make of a dependency.

use super::{Action, End, Page, Rule, Side, Word};

/// What the rules of both ends make of a dependency.
pub struct Application<'v> {
    pub action: &'static str,
    /// The rule of each end that decided, or its directory where it has no rules.
    pub description: String,
    /// The types as rules see them.
    pub from_kind: &'v str,
    pub to_kind: &'v str,
}

impl<'v> End<'v> {
    /// The rules about it; none where no rule set is.
    pub fn rules(&self, side: Side) -> Option<Vec<String>> {
        let page = match side {
            Side::Dependencies => self.out.as_ref(),
            Side::Dependents => self.into.as_ref(),
        };
        Some(page?.set?.rules.iter().map(shown).collect())
    }

    pub fn application(&self, to: &End<'v>) -> Application<'v> {
        let out = self.out.as_ref().map(|page| (page, page.word(Side::Dependencies, &self.seen, &to.seen)));
        let into = to.into.as_ref().map(|page| (page, page.word(Side::Dependents, &to.seen, &self.seen)));
        let action =
            |word: &Option<(&Page<'_>, Word<'_>)>| word.as_ref().map_or(Action::Allow, |(_, word)| word.action());
        let action = match (action(&out), action(&into)) {
            (_, Action::Deny) => Action::Deny,
            (Action::Allow, into) => into,
            (out, _) => out,
        };
        Application {
            action: match action {
                Action::Allow => "ALLOW",
                Action::Warn => "WARN",
                Action::Deny => "DENY",
            },
            description: format!("{} -> {}", decided(self, &out), decided(to, &into)),
            from_kind: self.seen.kind,
            to_kind: to.seen.kind,
        }
    }
}

/// `src/app/BUILD[rule]`
fn decided(end: &End<'_>, word: &Option<(&Page<'_>, Word<'_>)>) -> String {
    let found = word.as_ref().and_then(|(page, word)| Some((page.set?, word.rule)));
    match found {
        Some((set, rule)) => format!("{}[{}]", set.file, rule.map_or_else(|| "None".to_owned(), shown)),
        None => end.target.address.dir.as_str().to_owned(),
    }
}

fn shown(rule: &Rule) -> String {
    format!("{}{}", rule.action.sign(), rule.pattern.canonical)
}
