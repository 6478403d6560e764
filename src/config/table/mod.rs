//! The option table: all sections and keys that settings files, environment variables and flags can set. Parsing, help and
//! completions are derived from it. Other rooms interpret the values.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

pub mod entry;
mod evidence;
mod execution;
mod global;
mod goals;
mod other;
mod python;
mod remote_cache;
pub mod renamed;
mod testing;
mod tools;
pub mod unsupported;
mod waders;

pub use entry::{Entry, Kind, Scope, ScopeKind};

/// One option with its parsed default.
#[derive(Debug)]
pub struct Row {
    /// The option.
    pub entry: Entry,
    /// The default; `null` if there is none.
    pub default: Value,
}

/// One section with its options.
#[derive(Debug)]
pub struct Section {
    /// The name.
    pub name: &'static str,
    /// The help text.
    pub help: &'static str,
    /// The kind of the first scope with this name.
    pub kind: ScopeKind,
    /// Whether a goal has this name.
    pub is_goal: bool,
    /// Whether all keys are accepted and ignored.
    pub is_inert: bool,
    /// Options by name.
    pub rows: BTreeMap<&'static str, Row>,
}

/// The option table.
#[derive(Debug)]
pub struct Table {
    sections: BTreeMap<&'static str, Section>,
}

impl Table {
    /// The table, which is built at the first call.
    pub fn get() -> &'static Table {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(Table::build)
    }

    /// An option.
    pub fn row(&self, scope: &str, option: &str) -> Option<&Row> {
        self.sections.get(scope)?.rows.get(option)
    }

    /// A section.
    pub fn section(&self, scope: &str) -> Option<&Section> {
        self.sections.get(scope)
    }

    /// All sections, sorted by name.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        self.sections.values()
    }

    /// All options with their sections, sorted by name.
    pub fn rows(&self) -> impl Iterator<Item = (&Section, &Row)> {
        self.sections().flat_map(|section| section.rows.values().map(move |row| (section, row)))
    }

    /// Whether a goal has this name.
    pub fn is_goal(&self, word: &str) -> bool {
        self.section(word).is_some_and(|section| section.is_goal)
    }

    /// All goals, sorted by name.
    pub fn goals(&self) -> impl Iterator<Item = &Section> {
        self.sections().filter(|section| section.is_goal)
    }

    fn build() -> Table {
        let mut table = Table { sections: BTreeMap::new() };
        let groups = [
            global::SCOPES,
            goals::SCOPES,
            python::SCOPES,
            tools::SCOPES,
            other::SCOPES,
            waders::SCOPES,
            remote_cache::SCOPES,
            execution::SCOPES,
        ];
        for scope in groups.into_iter().flatten() {
            table.add(scope);
        }
        table
    }

    /// Adds a scope. A goal and a subsystem with the same name, such as `filter`, share a section as in Pants.
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
        // An option of the tool itself replaces the common one.
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
    fn every_default_has_the_type_of_its_option() {
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
    fn every_option_that_is_used_has_a_help_text() {
        for (section, row) in Table::get().rows() {
            assert!(row.entry.inert || !row.entry.help.is_empty(), "[{}] {}", section.name, row.entry.name);
        }
    }

    #[test]
    fn a_tool_has_the_common_options_and_its_own_have_precedence() {
        let table = Table::get();
        assert_eq!(table.row("mypy", "skip").map(|row| row.entry.kind), Some(Kind::Bool));
        assert_eq!(table.row("isort", "config").map(|row| row.entry.kind), Some(Kind::Texts));
        assert!(table.row("pytest", "args").is_some_and(|row| row.entry.passthrough));
        assert!(table.row("mypy", "args").is_some_and(|row| !row.entry.passthrough));
    }

    #[test]
    fn names_have_the_spelling_of_settings_files() {
        for (section, row) in Table::get().rows() {
            assert!(row.entry.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            assert!(
                section.name == "GLOBAL"
                    || section.name.chars().all(|c| c.is_ascii_lowercase() || "-0123456789".contains(c))
            );
        }
    }
}
