//! The option table: every section and key that settings files, environment variables and flags may name. Parsing, help
//! and completions come from it. What a value means is the business of whoever reads it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

pub mod entry;
mod global;
mod goals;
mod other;
mod python;
pub mod renamed;
mod tools;
mod waders;

pub use entry::{Entry, Kind, Scope, ScopeKind};

/// One option, with its default ready to use.
#[derive(Debug)]
pub struct Row {
    pub entry: Entry,
    pub default: Value,
}

/// One section and everything in it.
#[derive(Debug)]
pub struct Section {
    pub name: &'static str,
    pub help: &'static str,
    /// Of the first scope with this name.
    pub kind: ScopeKind,
    pub is_goal: bool,
    /// Any key is accepted and none means anything.
    pub is_inert: bool,
    pub rows: BTreeMap<&'static str, Row>,
}

#[derive(Debug)]
pub struct Table {
    sections: BTreeMap<&'static str, Section>,
}

impl Table {
    /// The one table there is.
    pub fn get() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(Table::build)
    }

    pub fn row(&self, scope: &str, option: &str) -> Option<&Row> {
        self.sections.get(scope)?.rows.get(option)
    }

    pub fn section(&self, scope: &str) -> Option<&Section> {
        self.sections.get(scope)
    }

    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        self.sections.values()
    }

    /// Every option with its section, in order.
    pub fn rows(&self) -> impl Iterator<Item = (&Section, &Row)> {
        self.sections().flat_map(|section| section.rows.values().map(move |row| (section, row)))
    }

    pub fn is_goal(&self, word: &str) -> bool {
        self.section(word).is_some_and(|section| section.is_goal)
    }

    pub fn goals(&self) -> impl Iterator<Item = &Section> {
        self.sections().filter(|section| section.is_goal)
    }

    fn build() -> Table {
        let mut table = Table { sections: BTreeMap::new() };
        let groups = [global::SCOPES, goals::SCOPES, python::SCOPES, tools::SCOPES, other::SCOPES, waders::SCOPES];
        for scope in groups.into_iter().flatten() {
            table.add(scope);
        }
        table
    }

    /// A name may stand for a goal and a subsystem at once (`filter`): they share a section, as in Pants.
    fn add(&mut self, scope: &Scope) {
        let section = self.sections.entry(scope.name).or_insert_with(|| Section {
            name: scope.name,
            help: scope.help,
            kind: scope.kind,
            is_goal: false,
            is_inert: false,
            rows: BTreeMap::new(),
        });
        section.is_goal |= scope.kind == ScopeKind::Goal;
        section.is_inert |= scope.kind == ScopeKind::Inert;
        let shared = if scope.kind == ScopeKind::Tool { tools::EVERY_TOOL } else { &[] };
        // A tool's own row replaces the one that every tool has.
        for entry in shared.iter().chain(scope.entries) {
            let default = serde_json::from_str(entry.default).expect("every default is JSON: tested below");
            section.rows.insert(entry.name, Row { entry: *entry, default });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_json_of_its_kind() {
        for (section, row) in Table::get().rows() {
            let fits = match row.entry.kind {
                Kind::Bool => row.default.is_boolean(),
                Kind::Integer | Kind::Size => row.default.is_i64(),
                Kind::Float => row.default.is_number(),
                Kind::Text => row.default.is_string(),
                Kind::Choice(choices) => row.default.as_str().is_some_and(|text| choices.contains(&text)),
                Kind::Texts | Kind::Integers | Kind::ShellWords => row.default.is_array(),
                Kind::Dict => row.default.is_object(),
            };
            assert!(fits || row.default.is_null(), "[{}] {}: {}", section.name, row.entry.name, row.default);
        }
    }

    #[test]
    fn every_option_that_means_something_says_what() {
        for (section, row) in Table::get().rows() {
            assert!(row.entry.inert || !row.entry.help.is_empty(), "[{}] {}", section.name, row.entry.name);
        }
    }

    #[test]
    fn a_tool_has_the_options_of_every_tool_and_its_own_win() {
        let table = Table::get();
        assert_eq!(table.row("mypy", "skip").map(|row| row.entry.kind), Some(Kind::Bool));
        assert_eq!(table.row("isort", "config").map(|row| row.entry.kind), Some(Kind::Texts));
        assert!(table.row("pytest", "args").is_some_and(|row| row.entry.passthrough));
        assert!(table.row("mypy", "args").is_some_and(|row| !row.entry.passthrough));
    }

    #[test]
    fn names_are_spelled_as_settings_files_spell_them() {
        for (section, row) in Table::get().rows() {
            assert!(row.entry.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            assert!(
                section.name == "GLOBAL"
                    || section.name.chars().all(|c| c.is_ascii_lowercase() || "-0123456789".contains(c))
            );
        }
    }
}
