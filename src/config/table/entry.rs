//! The types of the option table, and short functions for writing its rows. The rows are in the other files of this directory.

/// The type of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// A number of bytes: `512MiB`, `4GiB`, or without a unit.
    Size,
    /// A string.
    Text,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// A list of whole numbers.
    Integers,
    /// A list of strings, each of which is split into words as in a shell.
    ShellWords,
    /// A dict with string keys.
    Dict,
}

/// One option of one scope, as it is written in the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name of the option.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The default as JSON; `null` if there is none.
    pub default: &'static str,
    /// The help text.
    pub help: &'static str,
    /// The arguments after `--` on the command line are appended.
    pub passthrough: bool,
    /// The value is used inside a sandbox, where the build root is `/src`.
    pub in_sandbox: bool,
    /// An option of Pants that is accepted and ignored. Help does not show it.
    pub inert: bool,
    /// The value that its flag sets without `=VALUE`; `None` if the flag needs a value.
    pub bare: Option<&'static str>,
}

/// The kind of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// The scope `GLOBAL`.
    Global,
    /// A goal.
    Goal,
    /// Any other scope that is used.
    Subsystem,
    /// A tool. It also has the options of every tool.
    Tool,
    /// A section whose keys are names that the user chooses, each with a table. Its option `named` has all of them.
    Named,
    /// A section of Pants or of a plugin that is ignored. All keys are accepted.
    Inert,
}

/// A section of the settings files.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The name of the section.
    pub name: &'static str,
    /// Its kind.
    pub kind: ScopeKind,
    /// The help text.
    pub help: &'static str,
    /// Its options.
    pub entries: &'static [Entry],
}

impl Entry {
    /// The option with `passthrough`.
    pub const fn passed_through(self) -> Entry {
        Entry { passthrough: true, ..self }
    }

    /// The option with a value for its flag without `=VALUE`.
    pub const fn with_bare(self, value: &'static str) -> Entry {
        Entry { bare: Some(value), ..self }
    }

    /// The option with `in_sandbox`.
    pub const fn used_in_sandbox(self) -> Entry {
        Entry { in_sandbox: true, ..self }
    }
}

/// The scope `GLOBAL`.
pub const fn global(help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name: "GLOBAL", kind: ScopeKind::Global, help, entries }
}

/// A goal.
pub const fn goal(name: &'static str, help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name, kind: ScopeKind::Goal, help, entries }
}

/// A subsystem.
pub const fn subsystem(name: &'static str, help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name, kind: ScopeKind::Subsystem, help, entries }
}

/// A section whose keys are names that the user chooses.
pub const fn named(name: &'static str, help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name, kind: ScopeKind::Named, help, entries }
}

/// A tool.
pub const fn tool(name: &'static str, help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name, kind: ScopeKind::Tool, help, entries }
}

/// A section that is accepted and ignored.
pub const fn accepted(name: &'static str) -> Scope {
    Scope { name, kind: ScopeKind::Inert, help: "", entries: &[] }
}

/// An option with any type and any default; `null` for none.
pub const fn entry(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Entry {
    Entry { name, kind, default, help, passthrough: false, in_sandbox: false, inert: false, bare: None }
}

/// A Boolean option that is on by default.
pub const fn on(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Bool, "true", help)
}

/// A Boolean option that is off by default.
pub const fn off(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Bool, "false", help)
}

/// An integer option.
pub const fn integer(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Integer, default, help)
}

/// A numeric option.
pub const fn float(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Float, default, help)
}

/// An option with a size in bytes.
pub const fn size(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Size, default, help)
}

/// A string option without a default.
pub const fn text(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Text, "null", help)
}

/// A string option with a default.
pub const fn text_or(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Text, default, help)
}

/// An option with a fixed set of values.
pub const fn choice(
    name: &'static str,
    choices: &'static [&'static str],
    default: &'static str,
    help: &'static str,
) -> Entry {
    entry(name, Kind::Choice(choices), default, help)
}

/// A list option that is empty by default.
pub const fn texts(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Texts, "[]", help)
}

/// A list option with a default.
pub const fn texts_or(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Texts, default, help)
}

/// A list option with integers.
pub const fn integers(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Integers, default, help)
}

/// A list option with words of a shell that is empty by default.
pub const fn words(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::ShellWords, "[]", help)
}

/// A list option with words of a shell and a default.
pub const fn words_or(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::ShellWords, default, help)
}

/// A dict option that is empty by default.
pub const fn dict(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Dict, "{}", help)
}

/// A dict option with a default.
pub const fn dict_or(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Dict, default, help)
}

/// An option of Pants that is accepted and ignored.
pub const fn inert(name: &'static str, kind: Kind) -> Entry {
    Entry { inert: true, ..entry(name, kind, "null", "") }
}
