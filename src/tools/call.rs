//! One way in which goals call a tool: on which files, with which words, and what its exit code means.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// As summary lines show it, and as `--only` knows it: `ruff check`.
    pub name: String,
    /// What else `--only` may say.
    #[serde(default)]
    pub only: Vec<String>,
    pub kind: Kind,
    /// Any one of these in `backend_packages` switches it on.
    pub backends: Vec<String>,
    /// The program below `/deps/bin` and its words. A word in braces stands for others: `{config}`, `{args}`, `{files}`.
    /// In a checker's words `{python}` is the interpreter that has the requirements, `{roots}` the quoted source roots, and
    /// a word with `{root}` is there once for each.
    pub argv: Vec<String>,
    /// What its environment has beside the constants.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// A Python program that tells when it ran: it is run with a clock that stands.
    #[serde(default)]
    pub fixed_clock: bool,
    /// What is peculiar about running it.
    pub runner: Option<Runner>,
    pub partition: Partition,
    /// Of one that rewrites: the linter that finds what it would change, so that `lint` need not ask it too.
    pub linted_by: Option<String>,
    /// What it finds in a file does not depend on the others of its batch.
    #[serde(default)]
    pub alone: bool,
    /// It classifies modules as first-party by their location, and so receives package markers.
    #[serde(default)]
    pub tells_own_code: bool,
    /// It also sees, and does not work on, what its files name directly.
    #[serde(default)]
    pub sees_dependencies: bool,
    /// The target types whose sources it works on.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The option of the section that has globs: then it works on files, whoever owns them.
    pub globs: Option<String>,
    /// The option that has globs of files to leave out.
    pub except_globs: Option<String>,
    /// It works on BUILD files.
    #[serde(default)]
    pub build_files: bool,
    /// A target with one of these fields set is left out.
    #[serde(default)]
    pub skip_fields: Vec<String>,
    /// Exit codes of a run that did its work and found something. Any other than these and 0 means that it failed to.
    #[serde(default)]
    pub finding_codes: Vec<i32>,
    /// How it tells findings: regular expressions, as `report::finding` describes them.
    #[serde(default)]
    pub findings: Vec<String>,
    /// Its number for the first column of a line.
    #[serde(default = "one")]
    pub first_column: u32,
    /// Lines of its output that say nothing, or what differs from run to run: a regular expression.
    pub chatter: Option<String>,
}

fn one() -> u32 {
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Linter,
    /// Rewrites, and may change what the code means.
    Fixer,
    /// Rewrites, and changes only how the code looks.
    Formatter,
    Checker,
}

/// Behaviour that is no data; it lives in `plan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// Through `mypy_run.py`, which keeps what mypy has worked out, and orders its findings.
    Mypy,
    /// With a settings file of ours that has the user's settings and the source roots.
    Pyright,
}

impl Kind {
    pub fn rewrites(self) -> bool {
        matches!(self, Kind::Fixer | Kind::Formatter)
    }
}

/// Which files one process sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// Those of its batch and no others; one interpreter for all.
    Files,
    /// Those of its batch, all for the same interpreter constraints.
    Constraints,
    /// Also what its files depend on, and their requirements; all of one resolve and the same interpreter constraints.
    Closure,
}
