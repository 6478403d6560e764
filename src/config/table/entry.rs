//! The shape of a row of the option table, and short words to write rows with. The rows themselves live beside this file.

/// What an option's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Integer,
    Float,
    /// Bytes: `512MiB`, `4GiB`, or a bare number.
    Size,
    Text,
    Choice(&'static [&'static str]),
    Texts,
    Integers,
    /// Texts, each of which is split as a shell would.
    ShellWords,
    Dict,
}

/// One option of one scope.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub name: &'static str,
    pub kind: Kind,
    /// As JSON.
    pub default: &'static str,
    pub help: &'static str,
    /// Gets what follows `--` on the command line.
    pub passthrough: bool,
    /// Its text is read inside a sandbox, where the build root is `/src`.
    pub inside: bool,
    /// Known to Pants and without a meaning here: accepted, not shown in help.
    pub inert: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    Global,
    Goal,
    Subsystem,
    /// A tool: it also has the options that every tool has.
    Tool,
    /// A section of Pants or of a plugin that means nothing here: any key is accepted.
    Inert,
}

/// A section of the settings files.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub name: &'static str,
    pub kind: ScopeKind,
    pub help: &'static str,
    pub entries: &'static [Entry],
}

impl Entry {
    pub const fn passed_through(self) -> Entry {
        Entry { passthrough: true, ..self }
    }

    pub const fn read_inside(self) -> Entry {
        Entry { inside: true, ..self }
    }
}

pub const fn global(help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name: "GLOBAL", kind: ScopeKind::Global, help, entries }
}

pub const fn goal(name: &'static str, help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name, kind: ScopeKind::Goal, help, entries }
}

pub const fn subsystem(name: &'static str, help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name, kind: ScopeKind::Subsystem, help, entries }
}

pub const fn tool(name: &'static str, help: &'static str, entries: &'static [Entry]) -> Scope {
    Scope { name, kind: ScopeKind::Tool, help, entries }
}

pub const fn accepted(name: &'static str) -> Scope {
    Scope { name, kind: ScopeKind::Inert, help: "", entries: &[] }
}

/// Any kind, any default; `null` for none.
pub const fn entry(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Entry {
    Entry { name, kind, default, help, passthrough: false, inside: false, inert: false }
}

pub const fn on(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Bool, "true", help)
}

pub const fn off(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Bool, "false", help)
}

pub const fn integer(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Integer, default, help)
}

pub const fn float(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Float, default, help)
}

pub const fn size(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Size, default, help)
}

/// Text without a default.
pub const fn text(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Text, "null", help)
}

pub const fn text_or(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Text, default, help)
}

pub const fn choice(
    name: &'static str,
    choices: &'static [&'static str],
    default: &'static str,
    help: &'static str,
) -> Entry {
    entry(name, Kind::Choice(choices), default, help)
}

pub const fn texts(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Texts, "[]", help)
}

pub const fn texts_or(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Texts, default, help)
}

pub const fn integers(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Integers, default, help)
}

pub const fn words(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::ShellWords, "[]", help)
}

pub const fn words_or(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::ShellWords, default, help)
}

pub const fn dict(name: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Dict, "{}", help)
}

pub const fn dict_or(name: &'static str, default: &'static str, help: &'static str) -> Entry {
    entry(name, Kind::Dict, default, help)
}

/// Accepted because Pants knows it; nothing here reads it.
pub const fn inert(name: &'static str, kind: Kind) -> Entry {
    Entry { inert: true, ..entry(name, kind, "null", "") }
}
