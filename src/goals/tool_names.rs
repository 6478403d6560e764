//! The names of the tools that the backends of a repository enable, for completions of `--only`.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::typed::GlobalSettings;
use crate::tools::{self, Kind};

/// The names that `--only` accepts for a goal, without those that contain spaces; sorted.
pub fn tool_names(config: &Config, goal: &str) -> BTreeSet<String> {
    let backends = GlobalSettings::parse(config).backend_packages;
    let calls = tools::all().flat_map(|tool| tool.calls).filter(|call| serves(goal, call.kind));
    let enabled = calls.filter(|call| call.backends.iter().any(|backend| backends.contains(backend)));
    let names = enabled.flat_map(|call| [vec![call.name], call.only].concat());
    names.filter(|name| !name.contains(' ')).collect()
}

fn serves(goal: &str, kind: Kind) -> bool {
    match goal {
        "check" => kind == Kind::Checker,
        "fmt" => kind == Kind::Formatter,
        "fix" => matches!(kind, Kind::Fixer | Kind::Formatter),
        "lint" => kind != Kind::Checker,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_tools_of_enabled_backends_are_named_without_spaces() {
        let backends = ["pants.backend.experimental.python.lint.ruff.check", "pants.backend.python.typecheck.mypy"];
        let config = Config::of([("GLOBAL", "backend_packages", json!(backends))]);
        let check = |goal, expected: &[&str]| assert!(tool_names(&config, goal).iter().eq(expected), "{goal}");
        check("lint", &["ruff", "ruff-check"]);
        check("check", &["mypy"]);
        check("fmt", &[]);
        check("test", &[]);
    }
}
