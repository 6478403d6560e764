//! The tools that a repository uses: those with settings.

use std::path::Path;

use crate::config::implied::project::Projects;

/// A tool, and how its use is recognized.
pub(super) struct UsedTool {
    /// The settings section in `pants.toml`, which is also the name of the distribution and of the table in `pyproject.toml`.
    pub(super) scope: &'static str,
    /// The backends that enable it.
    backends: &'static [&'static str],
    /// Settings files of the tool alone.
    files: &'static [&'static str],
}

static TOOLS: [UsedTool; 11] = [
    UsedTool { scope: "bandit", backends: &["pants.backend.python.lint.bandit"], files: &[".bandit"] },
    UsedTool { scope: "black", backends: &["pants.backend.python.lint.black"], files: &[] },
    UsedTool { scope: "flake8", backends: &["pants.backend.python.lint.flake8"], files: &[".flake8"] },
    UsedTool { scope: "isort", backends: &["pants.backend.python.lint.isort"], files: &[".isort.cfg"] },
    UsedTool { scope: "mypy", backends: &["pants.backend.python.typecheck.mypy"], files: &["mypy.ini", ".mypy.ini"] },
    UsedTool { scope: "pydocstyle", backends: &["pants.backend.python.lint.pydocstyle"], files: &[".pydocstyle"] },
    UsedTool { scope: "pylint", backends: &["pants.backend.python.lint.pylint"], files: &[".pylintrc", "pylintrc"] },
    UsedTool {
        scope: "pyright",
        backends: &["pants.backend.experimental.python.typecheck.pyright"],
        files: &["pyrightconfig.json"],
    },
    UsedTool {
        scope: "ruff",
        backends: &[
            "pants.backend.experimental.python.lint.ruff.check",
            "pants.backend.experimental.python.lint.ruff.format",
        ],
        files: &["ruff.toml", ".ruff.toml"],
    },
    UsedTool { scope: "ty", backends: &["pants.backend.experimental.python.typecheck.ty"], files: &["ty.toml"] },
    UsedTool { scope: "yapf", backends: &["pants.backend.python.lint.yapf"], files: &[".style.yapf"] },
];

/// The tools with settings in `pyproject.toml` or in a file of their own.
pub(super) fn used(root: &Path, projects: &Projects) -> Vec<&'static UsedTool> {
    let is_used = |tool: &&UsedTool| {
        projects.tool(tool.scope).is_some() || tool.files.iter().any(|file| root.join(file).is_file())
    };
    TOOLS.iter().filter(is_used).collect()
}

/// The backends that enable these tools.
pub(super) fn backends<'t>(tools: &'t [&'static UsedTool]) -> impl Iterator<Item = &'static str> + 't {
    // Two formatters of the same files would undo each other's changes.
    let has_black = tools.iter().any(|tool| tool.scope == "black");
    let all = tools.iter().flat_map(|tool| tool.backends.iter().copied());
    all.filter(move |backend| !has_black || !backend.ends_with("ruff.format"))
}
