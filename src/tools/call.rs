//! One way in which goals run a tool: its input files, its command line, and the interpretation of its result. Commands
//! are composed and results are parsed elsewhere.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One way in which goals run a tool, as described in the `[[calls]]` of a `.toml` file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The name in summaries and for `--only`: `ruff check`.
    pub name: String,
    /// Further names for `--only`.
    #[serde(default)]
    pub only: Vec<String>,
    /// What the call does.
    pub kind: Kind,
    /// The backends that enable the call. One of them in `backend_packages` is sufficient.
    pub backends: Vec<String>,
    /// The program in `/deps/bin` and its arguments. The placeholders `{config}`, `{args}` and `{files}` are replaced by any
    /// number of arguments. For checkers, `{python}` is the interpreter with the requirements, `{roots}` are the quoted
    /// source roots, and an argument with `{root}` is repeated for each source root.
    pub argv: Vec<String>,
    /// Further environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Whether to run the tool, a Python program, with a fixed clock, because its output contains the time of the run.
    #[serde(default)]
    pub fixed_clock: bool,
    /// Special treatment by `plan`, if any.
    pub runner: Option<Runner>,
    /// Which files one process sees.
    pub partition: Partition,
    /// For a fixer: the linter that reports what it would change, so that `lint` does not run the fixer.
    pub linted_by: Option<String>,
    /// Whether files are checked independently of the others in the batch.
    #[serde(default)]
    pub alone: bool,
    /// Whether the tool recognises first-party code by its location and therefore needs landmarks.
    #[serde(default)]
    pub needs_landmarks: bool,
    /// Which dependencies of the files the sandbox also contains, among targets of the same types. They are not passed to the tool.
    #[serde(default)]
    pub sees_dependencies: SeenDependencies,
    /// What the names of further options `args` and `skip` start with, if the calls of the tool have options of their own.
    #[serde(default)]
    pub option_prefix: String,
    /// The target types whose sources are the input.
    #[serde(default)]
    pub targets: Vec<String>,
    /// The option that contains globs. If set, the input is the matching files, regardless of their owners.
    pub globs: Option<String>,
    /// The option that contains globs of files to exclude.
    pub except_globs: Option<String>,
    /// Whether the input is BUILD files.
    #[serde(default)]
    pub build_files: bool,
    /// Fields that exclude a target if they are set.
    #[serde(default)]
    pub skip_fields: Vec<String>,
    /// Exit codes of a successful run with findings. Every other code except 0 means that the run failed.
    #[serde(default)]
    pub finding_codes: Vec<i32>,
    /// Regular expressions for findings in the output, as described in `report::finding`.
    #[serde(default)]
    pub findings: Vec<String>,
    /// The number of the first column of a line in findings.
    #[serde(default = "one")]
    pub first_column: u32,
    /// A regular expression for output lines without information, or with information that changes from run to run.
    pub chatter: Option<String>,
}

fn one() -> u32 {
    1
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Reports findings.
    Linter,
    /// Rewrites files and may change the meaning of the code.
    Fixer,
    /// Rewrites files without changing the meaning of the code.
    Formatter,
    /// Checks types with all dependencies.
    Checker,
}

/// Special treatment that cannot be described as data. It is implemented in `plan`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// Run by `mypy_run.py`, which saves mypy's incremental state and sorts the findings.
    Mypy,
    /// Run with a generated settings file that contains the user's settings and the source roots.
    Pyright,
    /// Run by `buf_run.py`, once for each source root, to which imports of protocol buffers are relative.
    Buf,
}

/// Which dependencies of its files a process sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeenDependencies {
    /// None, unless the partition is the closure.
    #[default]
    None,
    /// The direct ones.
    Direct,
    /// Those of dependencies, too.
    Transitive,
}

impl Kind {
    /// Whether calls of this kind change files.
    pub fn rewrites(self) -> bool {
        matches!(self, Kind::Fixer | Kind::Formatter)
    }
}

/// Which files one process sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partition {
    /// Only the files of its batch. All batches use the same interpreter.
    Files,
    /// Only the files of its batch, which have the same interpreter constraints.
    Constraints,
    /// The files of its batch, their dependencies and requirements. All files have the same resolve and the same interpreter
    /// constraints.
    Closure,
}
