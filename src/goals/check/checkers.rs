//! The type checkers in use: those whose backend is in `backend_packages`, and not left out.

use crate::goals::{Error, Session};
use crate::tools::{self, Call, Kind, Tool};

pub const HOW_TO_ENABLE: &str = "add `pants.backend.python.typecheck.mypy`, or another checker's backend, to \
                                 `backend_packages` in the section `[GLOBAL]`";

#[derive(Clone, Debug)]
pub struct Checker {
    pub tool: Tool,
    pub call: Call,
}

/// By name.
pub fn enabled(session: &Session) -> Result<Vec<Checker>, Error> {
    let config = session.config();
    let backends = config.list("GLOBAL", "backend_packages");
    let checkers = tools::all().flat_map(|tool| {
        let calls = tool.calls.clone().into_iter().filter(|call| call.kind == Kind::Checker);
        calls.map(move |call| Checker { tool: tool.clone(), call }).collect::<Vec<_>>()
    });
    let is_enabled = |checker: &Checker| checker.call.backends.iter().any(|own| backends.contains(&own.as_str()));
    let mut enabled: Vec<Checker> = checkers.filter(is_enabled).collect();
    let only = config.list("check", "only");
    let is_named =
        |checker: &Checker, name: &str| checker.call.name == name || checker.call.only.iter().any(|own| own == name);
    for name in &only {
        if !enabled.iter().any(|checker| is_named(checker, name)) {
            let known = enabled.iter().map(|checker| checker.call.name.clone()).collect();
            return Err(Error::NoSuchTool { goal: "check".to_owned(), name: name.to_string(), known });
        }
    }
    enabled.retain(|checker| only.is_empty() || only.iter().any(|name| is_named(checker, name)));
    enabled.retain(|checker| !config.flag(&checker.tool.scope, "skip"));
    Ok(enabled)
}
