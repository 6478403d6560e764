//! The list of all tools, and the built-in lockfiles that belong to no tool. A new tool needs a description, a lockfile
//! and a line here. How tools are run is decided in `plan`.

use crate::tools::Tool;

/// The description and built-in lockfile of each tool, sorted by name. A tool without a lockfile is installed with another
/// tool.
const TOOLS: [(&str, &str); 34] = [
    (include_str!("add-trailing-comma.toml"), include_str!("add-trailing-comma.lock")),
    (include_str!("autoflake.toml"), include_str!("autoflake.lock")),
    (include_str!("bandit.toml"), include_str!("bandit.lock")),
    (include_str!("black.toml"), include_str!("black.lock")),
    (include_str!("buf.toml"), include_str!("buf.lock")),
    (include_str!("coverage-py.toml"), ""),
    (include_str!("docformatter.toml"), include_str!("docformatter.lock")),
    (include_str!("flake8.toml"), include_str!("flake8.lock")),
    (include_str!("hadolint.toml"), include_str!("hadolint.lock")),
    (include_str!("ipython.toml"), include_str!("ipython.lock")),
    (include_str!("isort.toml"), include_str!("isort.lock")),
    (include_str!("mkdocs.toml"), include_str!("mkdocs.lock")),
    (include_str!("mypy.toml"), include_str!("mypy.lock")),
    (include_str!("mypy-protobuf.toml"), include_str!("mypy-protobuf.lock")),
    (include_str!("pydoclint.toml"), include_str!("pydoclint.lock")),
    (include_str!("pydocstyle.toml"), include_str!("pydocstyle.lock")),
    (include_str!("pylint.toml"), include_str!("pylint.lock")),
    (include_str!("pyrefly.toml"), include_str!("pyrefly.lock")),
    (include_str!("pyright.toml"), include_str!("pyright.lock")),
    (include_str!("pytest.toml"), include_str!("pytest.lock")),
    (include_str!("python-grpclib-protobuf.toml"), include_str!("python-grpclib-protobuf.lock")),
    (include_str!("pyupgrade.toml"), include_str!("pyupgrade.lock")),
    (include_str!("ruff.toml"), include_str!("ruff.lock")),
    (include_str!("setuptools.toml"), include_str!("setuptools.lock")),
    (include_str!("setuptools-scm.toml"), include_str!("setuptools-scm.lock")),
    (include_str!("shellcheck.toml"), include_str!("shellcheck.lock")),
    (include_str!("shfmt.toml"), include_str!("shfmt.lock")),
    (include_str!("sphinx.toml"), include_str!("sphinx.lock")),
    (include_str!("taplo.toml"), include_str!("taplo.lock")),
    (include_str!("towncrier.toml"), include_str!("towncrier.lock")),
    (include_str!("twine.toml"), include_str!("twine.lock")),
    (include_str!("ty.toml"), include_str!("ty.lock")),
    (include_str!("yamllint.toml"), include_str!("yamllint.lock")),
    (include_str!("yapf.toml"), include_str!("yapf.lock")),
];

/// The built-in lockfile of grpcio-tools, which contains the compiler of protocol buffers.
pub const GRPCIO_TOOLS_LOCK: &str = include_str!("grpcio-tools.lock");

/// The built-in lockfile of Pex, which packages programs.
pub const PEX_LOCK: &str = include_str!("pex.lock");

/// The built-in lockfile of the build backends for source distributions.
pub const SDIST_LOCK: &str = include_str!("sdist.lock");

/// The built-in lockfile of pip, which exported environments contain.
pub const PIP_LOCK: &str = include_str!("pip.lock");

/// The built-in lockfile of uv, which pins the requirements of repositories without lockfiles.
pub const UV_LOCK: &str = include_str!("uv.lock");

/// The tool with this settings section.
pub fn named(scope: &str) -> Option<Tool> {
    all().find(|tool| tool.scope == scope)
}

/// All tools, sorted by name.
pub fn all() -> impl Iterator<Item = Tool> {
    TOOLS.iter().map(|(text, lock)| {
        let tool: Tool = toml::from_str(text).expect("a test parses every description");
        Tool { lock, ..tool }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::table::{ScopeKind, Table};
    use crate::tools::Kind;

    const PLACEHOLDERS: [&str; 3] = ["{config}", "{args}", "{files}"];

    #[test]
    fn every_tool_has_a_settings_section() {
        for tool in all() {
            let section = Table::get().section(&tool.scope);
            assert!(section.is_some_and(|section| section.kind == ScopeKind::Tool), "{}", tool.scope);
        }
        let names: Vec<String> = all().map(|tool| tool.scope).collect();
        assert!(names.is_sorted(), "{names:?}");
    }

    #[test]
    fn every_backend_that_enables_a_tool_is_a_known_backend() {
        let backends: Vec<String> = all().flat_map(|tool| tool.calls).flat_map(|call| call.backends).collect();
        let unknown: Vec<&String> =
            backends.iter().filter(|backend| !crate::config::backends::is_known(backend)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn every_call_is_complete() {
        for (tool, call) in all().flat_map(|tool| tool.calls.clone().into_iter().map(move |call| (tool.clone(), call)))
        {
            let name = &call.name;
            assert!(!tool.lock.is_empty() && !call.backends.is_empty(), "{name}");
            let inputs = [!call.targets.is_empty(), call.globs.is_some(), call.build_files];
            assert_eq!(inputs.iter().filter(|is_set| **is_set).count(), 1, "{name} has exactly one kind of input");
            assert!(!call.kind.rewrites() || call.argv.last().is_some_and(|word| word == "{files}"), "{name}");
            assert!(call.globs.iter().all(|option| Table::get().row(&tool.scope, option).is_some()), "{name}");
            let words: BTreeSet<&str> = call.argv.iter().map(String::as_str).collect();
            assert!(words.contains("{files}") && words.contains("{args}"), "{name}");
            assert_eq!(words.contains("{config}"), !tool.config_args.is_empty(), "{name}");
            let checker_placeholders = ["{python}", "{root}", "{roots}"];
            let plain =
                |word: &str| checker_placeholders.iter().fold(word.to_owned(), |word, part| word.replace(part, ""));
            let plain: Vec<String> = match call.kind {
                Kind::Checker => words.iter().map(|word| plain(word)).collect(),
                _ => words.iter().map(|word| word.to_string()).collect(),
            };
            let braced = plain.iter().filter(|word| word.contains('{'));
            assert!(braced.into_iter().all(|word| PLACEHOLDERS.contains(&word.as_str())), "{name}");
        }
    }

    #[test]
    fn every_regular_expression_compiles() {
        for call in all().flat_map(|tool| tool.calls) {
            let patterns = call.findings.iter().chain(&call.chatter).map(|text| regex::Regex::new(text).unwrap());
            let patterns: Vec<regex::Regex> = patterns.collect();
            let named: BTreeSet<&str> = patterns.iter().flat_map(|pattern| pattern.capture_names()).flatten().collect();
            let has_findings = named.contains("file") && named.contains("message");
            assert_eq!(has_findings, !call.kind.rewrites(), "{}", call.name);
        }
    }
}
