//! Fields that exclude Python code from linters, formatters and checkers, with the backends of each tool. Some backends
//! were renamed between Pants versions.

use super::field::{Field, skip};

/// One field for each tool, sorted by name.
pub(super) const SKIPS: &[Field] = &[
    skip(
        "skip_add_trailing_comma",
        &["pants.backend.experimental.python.lint.add_trailing_comma", "pants.backend.python.lint.add_trailing_comma"],
    ),
    skip(
        "skip_autoflake",
        &["pants.backend.python.lint.autoflake", "pants.backend.experimental.python.lint.autoflake"],
    ),
    skip("skip_bandit", &["pants.backend.python.lint.bandit"]),
    skip("skip_black", &["pants.backend.python.lint.black"]),
    skip("skip_docformatter", &["pants.backend.python.lint.docformatter"]),
    skip("skip_flake8", &["pants.backend.python.lint.flake8"]),
    skip("skip_isort", &["pants.backend.python.lint.isort"]),
    skip("skip_mypy", &["pants.backend.python.typecheck.mypy"]),
    skip("skip_pydocstyle", &["pants.backend.python.lint.pydocstyle"]),
    skip("skip_pylint", &["pants.backend.python.lint.pylint"]),
    skip("skip_pyright", &["pants.backend.experimental.python.typecheck.pyright"]),
    skip("skip_pytype", &["pants.backend.experimental.python.typecheck.pytype"]),
    skip(
        "skip_pyupgrade",
        &["pants.backend.python.lint.pyupgrade", "pants.backend.experimental.python.lint.pyupgrade"],
    ),
    skip("skip_ruff", &["pants.backend.experimental.python.lint.ruff"]).until(20),
    skip(
        "skip_ruff_check",
        &["pants.backend.experimental.python.lint.ruff.check", "pants.backend.python.lint.ruff.check"],
    )
    .since(21),
    skip(
        "skip_ruff_format",
        &["pants.backend.experimental.python.lint.ruff.format", "pants.backend.python.lint.ruff.format"],
    )
    .since(21),
    skip("skip_yapf", &["pants.backend.python.lint.yapf"]),
];
