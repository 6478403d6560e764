//! Advice on findings of mypy whose own message does not say what to do.

use crate::goals::call_results::CallResults;
use crate::prepare::tool_packages::describe_origin;
use crate::session::Session;

/// A hint about a plugin that mypy could not import, if there is one.
pub(super) fn advice(session: &Session, results: &CallResults) -> Option<String> {
    let mypy = results.tools.get("mypy")?;
    let plugin = mypy.runs.iter().find_map(|run| missing_plugin(&run.stderr))?;
    Some(format!("hint: add the distribution that provides `{plugin}` to {}", describe_origin(session, "mypy")))
}

fn missing_plugin(output: &str) -> Option<&str> {
    let (_, rest) = output.split_once("Error importing plugin \"")?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_plugin_is_found_in_the_output() {
        let output = "pyproject.toml:1: error: Error importing plugin \"pydantic.mypy\": No module named 'pydantic'";
        assert_eq!(missing_plugin(output), Some("pydantic.mypy"));
        assert_eq!(missing_plugin("a.py:1: error: no"), None);
    }
}
