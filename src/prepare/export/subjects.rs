//! What is exported: the resolves and tools that the command line names, or all. Which packages they have is in `plan`.

use crate::config::Config;
use crate::config::typed::{ExportSettings, GlobalSettings, PythonSettings, ToolSettings};
use crate::prepare::Error;
use crate::tools::{self, Tool};

/// The backend with the test runner.
const PYTHON_BACKEND: &str = "pants.backend.python";

/// The backend of an in-repository plugin, by the name of the tool that it brings along.
const PLUGIN_BACKENDS: [(&str, &str); 1] = [("towncrier", "towncrier_tool")];

/// What one environment is exported for.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The requirements of a repository without resolves.
    Repository,
    /// A resolve.
    Resolve(String),
    /// A tool. `is_named`: the command line names it as a resolve, as Pants 2.17 does.
    Tool {
        /// The tool.
        tool: Box<Tool>,
        /// Whether it is also exported below the name of the tool.
        is_named: bool,
    },
}

impl Subject {
    /// The name in messages.
    pub fn name(&self) -> &str {
        match self {
            Subject::Repository => "this repository",
            Subject::Resolve(name) => name,
            Subject::Tool { tool, .. } => &tool.scope,
        }
    }
}

/// What is to be exported. `has_specs`: the command line has specs, which ask for everything, as in Pants up to 2.17.
pub fn subjects(config: &Config, settings: &ExportSettings, has_specs: bool) -> Result<Vec<Subject>, Error> {
    let python = PythonSettings::parse(config);
    let mut found = Vec::new();
    for name in &settings.resolves {
        found.push(named(&python, name)?);
    }
    if settings.resolves.is_empty() && (has_specs || settings.bins.is_empty()) {
        match python.enable_resolves {
            true => found.extend(python.resolves.keys().cloned().map(Subject::Resolve)),
            false => found.push(Subject::Repository),
        }
        let tools = tools::all().filter(|tool| is_exported(config, tool)).map(Box::new);
        found.extend(tools.map(|tool| Subject::Tool { tool, is_named: false }));
    }
    for name in &settings.bins {
        let is_found = |subject: &Subject| matches!(subject, Subject::Tool { tool, .. } if tool.scope == *name);
        if !found.iter().any(is_found) {
            let tool = tools::named(name).map(Box::new).ok_or_else(|| unknown("bin", name, tool_names()))?;
            found.push(Subject::Tool { tool, is_named: false });
        }
    }
    Ok(found)
}

fn named(python: &PythonSettings, name: &str) -> Result<Subject, Error> {
    if python.enable_resolves && python.resolves.contains_key(name) {
        return Ok(Subject::Resolve(name.to_owned()));
    }
    if let Some(tool) = tools::named(name) {
        return Ok(Subject::Tool { tool: Box::new(tool), is_named: true });
    }
    let resolves = python.resolves.keys().filter(|_| python.enable_resolves).cloned();
    Err(unknown("resolve", name, resolves.chain(tool_names()).collect()))
}

fn unknown(option: &'static str, name: &str, known: Vec<String>) -> Error {
    Error::UnknownExport { option, name: name.to_owned(), known }
}

fn tool_names() -> Vec<String> {
    tools::all().map(|tool| tool.scope).collect()
}

/// Whether a tool is in use, and its section does not exclude it.
fn is_exported(config: &Config, tool: &Tool) -> bool {
    let settings = ToolSettings::parse(config, &tool.scope);
    if settings.skip || !settings.export {
        return false;
    }
    let backends = GlobalSettings::parse(config).backend_packages;
    let is_enabled = |backend: &str| backends.iter().any(|enabled| enabled == backend);
    let by_plugin = PLUGIN_BACKENDS.iter().any(|(scope, backend)| *scope == tool.scope && is_enabled(backend));
    let by_call = tool.calls.iter().flat_map(|call| &call.backends).any(|backend| is_enabled(backend));
    let is_runner = tool.scope == "pytest" && is_enabled(PYTHON_BACKEND);
    settings.is_configured() || by_plugin || by_call || is_runner
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(values: &[(&'static str, &'static str, serde_json::Value)], has_specs: bool, expected: &str) {
        let common = [
            ("GLOBAL", "backend_packages", json!(["pants.backend.python", "pants.backend.python.lint.black"])),
            ("python", "resolves", json!({"default": "a.lock", "data": "b.lock"})),
            ("python", "enable_resolves", json!(true)),
        ];
        let config = Config::of(common.into_iter().chain(values.iter().cloned()));
        let settings = ExportSettings::parse(&config);
        let names = |found: Vec<Subject>| found.iter().map(Subject::name).collect::<Vec<_>>().join(" ");
        let found = subjects(&config, &settings, has_specs).map_or_else(|error| error.to_string(), names);
        assert_eq!(found, expected, "{values:?}");
    }

    #[test]
    fn all_resolves_and_all_tools_in_use_are_exported() {
        check(&[], false, "data default black pytest");
        check(&[("black", "export", json!(false))], true, "data default pytest");
        check(&[("towncrier", "lockfile", json!("t.lock"))], true, "data default black pytest towncrier");
        check(&[("python", "enable_resolves", json!(false))], true, "this repository black pytest");
    }

    #[test]
    fn named_resolves_and_tools_are_exported_alone() {
        check(&[("export", "resolve", json!(["data", "mypy"]))], false, "data mypy");
        check(&[("export", "bin", json!(["ruff"]))], false, "ruff");
        check(&[("export", "bin", json!(["ruff"]))], true, "data default black pytest ruff");
        check(&[("export", "resolve", json!(["x"]))], false, "`--export-resolve=x` names no resolve or tool");
        check(&[("export", "bin", json!(["data"]))], false, "`--export-bin=data` names no tool");
    }
}
