//! Old names of goals, sections and options, and what they are called now. Nothing here says how a name is read.

use super::Table;

/// An option that moved. `values` translates the old value where it differs, as (old, new).
#[derive(Clone, Copy, Debug)]
pub struct Renamed {
    pub scope: &'static str,
    pub option: &'static str,
    pub now_scope: &'static str,
    pub now_option: &'static str,
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

pub const OPTIONS: &[Renamed] = &[
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

/// Sections whose name changed as a whole.
pub const SCOPES: &[(&str, &str)] =
    &[("python-setup", "python"), ("download-pex-bin", "pex-cli"), ("dependees", "dependents")];

pub const GOALS: &[(&str, &str)] =
    &[("dependees", "dependents"), ("validate", "lint"), ("deploy", "experimental-deploy")];

/// The goal that a word names, by its name today.
pub fn goal(word: &str) -> Option<&'static str> {
    let now = GOALS.iter().find(|(old, _)| *old == word).map_or(word, |(_, now)| now);
    Table::get().section(now).filter(|section| section.is_goal).map(|section| section.name)
}

pub fn scope(name: &str) -> &str {
    SCOPES.iter().find(|(old, _)| *old == name).map_or(name, |(_, now)| now)
}

pub fn option(scope: &str, option: &str) -> Option<&'static Renamed> {
    OPTIONS.iter().find(|renamed| renamed.scope == scope && renamed.option == option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_new_name_is_in_the_table_and_no_old_one_is() {
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
    fn old_goals_are_known() {
        assert_eq!(goal("dependees"), Some("dependents"));
        assert_eq!(goal("pytest"), None);
    }
}
