//! Old names of goals, sections and options, and their current names. `settings` applies them.

use super::Table;

/// An option that was renamed or moved.
#[derive(Clone, Copy, Debug)]
pub struct Renamed {
    /// The old scope.
    pub scope: &'static str,
    /// The old name.
    pub option: &'static str,
    /// The current scope.
    pub now_scope: &'static str,
    /// The current name.
    pub now_option: &'static str,
    /// Old values that were renamed too, as (old, current).
    pub values: &'static [(&'static str, &'static str)],
}

const fn moved(
    scope: &'static str,
    option: &'static str,
    now_scope: &'static str,
    now_option: &'static str,
) -> Renamed {
    Renamed { scope, option, now_scope, now_option, values: &[] }
}

/// Renamed options.
pub const OPTIONS: &[Renamed] = &[
    moved("GLOBAL", "process_execution_use_local_cache", "GLOBAL", "local_cache"),
    moved("pytest", "timeouts", "test", "timeouts"),
    moved("pytest", "timeout_default", "test", "timeout_default"),
    moved("pytest", "timeout_maximum", "test", "timeout_maximum"),
    moved("python-repos", "repos", "python-repos", "find_links"),
    moved("changed", "dependees", "changed", "dependents"),
    moved("changed", "include_dependees", "changed", "dependents"),
    moved("paths", "path_from", "paths", "from"),
    moved("paths", "path_to", "paths", "to"),
    moved("python", "tailor_ignore_solitary_init_files", "python", "tailor_ignore_empty_init_files"),
    Renamed {
        scope: "python-infer",
        option: "inits",
        now_scope: "python-infer",
        now_option: "init_files",
        values: &[("true", "always"), ("false", "never")],
    },
    Renamed {
        scope: "GLOBAL",
        option: "process_cleanup",
        now_scope: "GLOBAL",
        now_option: "keep_sandboxes",
        values: &[("true", "never"), ("false", "always")],
    },
    Renamed {
        scope: "export",
        option: "symlink_python_virtualenv",
        now_scope: "export",
        now_option: "py_resolve_format",
        values: &[("true", "symlinked_immutable_virtualenv"), ("false", "mutable_virtualenv")],
    },
];

/// Renamed sections, as (old, current).
pub const SCOPES: &[(&str, &str)] =
    &[("python-setup", "python"), ("download-pex-bin", "pex-cli"), ("dependees", "dependents")];

/// Renamed goals, as (old, current).
pub const GOALS: &[(&str, &str)] =
    &[("dependees", "dependents"), ("validate", "lint"), ("deploy", "experimental-deploy")];

/// The current name of the goal that a word names.
pub fn goal(word: &str) -> Option<&'static str> {
    let now = GOALS.iter().find(|(old, _)| *old == word).map_or(word, |(_, now)| now);
    Table::get().section(now).filter(|section| section.is_goal).map(|section| section.name)
}

/// The current name of a section.
pub fn scope(name: &str) -> &str {
    SCOPES.iter().find(|(old, _)| *old == name).map_or(name, |(_, now)| now)
}

/// The rename of an option, if this is an old name.
pub fn option(scope: &str, option: &str) -> Option<&'static Renamed> {
    OPTIONS.iter().find(|renamed| renamed.scope == scope && renamed.option == option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_names_are_in_the_table_and_old_names_are_not() {
        let table = Table::get();
        for renamed in OPTIONS {
            assert!(table.row(renamed.now_scope, renamed.now_option).is_some(), "{renamed:?}");
            assert!(table.row(renamed.scope, renamed.option).is_none(), "{renamed:?}");
        }
        for (old, now) in SCOPES {
            assert!(table.section(now).is_some() && table.section(old).is_none(), "{old}");
        }
    }

    #[test]
    fn old_names_of_goals_are_accepted() {
        assert_eq!(goal("dependees"), Some("dependents"));
        assert_eq!(goal("pytest"), None);
    }
}
