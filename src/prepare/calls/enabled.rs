//! The calls that a goal makes: enabled by backends, narrowed by `--only` and `skip`.

use std::collections::BTreeSet;

use crate::config::typed::{GlobalSettings, ToolGoalSettings, ToolSettings};
use crate::config::{Config, Table};
use crate::prepare::Error;
use crate::targets::Address;
use crate::tools::regex_lint;
use crate::tools::{self, Call, Kind, Tool};

/// One way in which a goal calls a tool.
#[derive(Clone, Debug)]
pub struct EnabledCall {
    /// The tool.
    pub tool: Tool,
    /// How the goal calls it.
    pub call: Call,
    /// The `code_quality_tool` of the repository that is called; `None` for a tool of Waders.
    pub target: Option<Address>,
}

/// The calls of these kinds, in the order of the kinds, then in the order of the backends that enable them. `own` are the calls of the
/// repository's own tools, which follow.
pub fn enabled_calls(
    config: &Config,
    goal: &str,
    kinds: &[Kind],
    own: Vec<EnabledCall>,
) -> Result<Vec<EnabledCall>, Error> {
    let all = [enabled_by_backends(config), own].concat();
    let mut all: Vec<EnabledCall> =
        kinds.iter().flat_map(|kind| all.iter().filter(|enabled| enabled.call.kind == *kind)).cloned().collect();
    if all.is_empty() {
        return Err(Error::NoTool { goal: goal.to_owned() });
    }
    let only = ToolGoalSettings::parse(config, goal).only;
    let known: BTreeSet<&str> = all.iter().flat_map(EnabledCall::names).collect();
    let is_known = |name: &&String| known.contains(name.as_str()) || (goal == "lint" && *name == regex_lint::NAME);
    if let Some(name) = only.iter().find(|name| !is_known(name)) {
        let known = known.iter().map(|name| name.to_string()).collect();
        return Err(Error::NoSuchTool { goal: goal.to_owned(), name: name.to_string(), known });
    }
    all.retain(|enabled| {
        let is_chosen = only.is_empty() || enabled.names().any(|name| only.iter().any(|chosen| chosen == name));
        let has_section = Table::get().section(&enabled.tool.scope).is_some();
        is_chosen
            && !(has_section && ToolSettings::of_call(config, &enabled.tool.scope, &enabled.call.option_prefix).skip)
    });
    Ok(all)
}

/// In the order of backends; a call that several backends enable is made once.
fn enabled_by_backends(config: &Config) -> Vec<EnabledCall> {
    let calls: Vec<EnabledCall> = tools::all().flat_map(EnabledCall::all_of).collect();
    let mut order: Vec<usize> = Vec::new();
    for backend in GlobalSettings::parse(config).backend_packages {
        let of_backend = |index: &usize| calls[*index].call.backends.contains(&backend);
        let new: Vec<usize> = (0..calls.len()).filter(of_backend).filter(|index| !order.contains(index)).collect();
        order.extend(new);
    }
    order.into_iter().map(|index| calls[index].clone()).collect()
}

impl EnabledCall {
    fn all_of(tool: Tool) -> Vec<EnabledCall> {
        tool.calls.iter().map(|call| EnabledCall { tool: tool.clone(), call: call.clone(), target: None }).collect()
    }

    /// The names under which `--only` chooses it.
    pub(in crate::prepare) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.call.name).chain(&self.call.only).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REWRITING: [Kind; 2] = [Kind::Fixer, Kind::Formatter];

    fn check(backends: &[&str], only: &[&str], kinds: &[Kind], expected: &str) {
        let config = Config::of([("GLOBAL", "backend_packages", json!(backends)), ("lint", "only", json!(only))]);
        let names = |calls: Vec<EnabledCall>| calls.into_iter().map(|enabled| enabled.call.name).collect::<Vec<_>>();
        let found = enabled_calls(&config, "lint", kinds, Vec::new())
            .map_or_else(|error| error.to_string(), |all| names(all).join(", "));
        assert_eq!(found, expected, "{backends:?} {only:?}");
    }

    #[test]
    fn calls_are_made_in_the_order_of_backends_and_fixers_first() {
        let [isort, black] = ["pants.backend.python.lint.isort", "pants.backend.python.lint.black"];
        let ruff = "pants.backend.experimental.python.lint.ruff.check";
        check(&[isort, black], &[], &REWRITING, "isort, black");
        check(&[black, isort, black], &[], &REWRITING, "black, isort");
        check(&[black, ruff], &[], &REWRITING, "ruff check --fix, black");
        check(&[black, ruff], &[], &[Kind::Linter], "ruff check");
    }

    #[test]
    fn only_narrows_by_any_of_a_calls_names() {
        let both =
            ["pants.backend.experimental.python.lint.ruff.check", "pants.backend.experimental.python.lint.ruff.format"];
        check(&both, &["ruff"], &REWRITING, "ruff check --fix, ruff format");
        check(&both, &["ruff-format"], &REWRITING, "ruff format");
        check(&both, &["ruff format"], &REWRITING, "ruff format");
        check(&both, &["black"], &REWRITING, "`--lint-only=black` does not name an enabled tool");
    }

    #[test]
    fn a_goal_without_tools_is_an_error() {
        check(&["pants.backend.python"], &[], &REWRITING, "no enabled backend provides a tool for the goal `lint`");
    }

    #[test]
    fn a_section_can_skip_its_tool() {
        let config = Config::of([
            ("GLOBAL", "backend_packages", json!(["pants.backend.python.lint.black"])),
            ("black", "skip", json!(true)),
        ]);
        assert!(enabled_calls(&config, "fmt", &REWRITING, Vec::new()).unwrap().is_empty());
    }
}
