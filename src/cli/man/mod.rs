//! Manual pages, generated from the option table: `waders(1)`, and `waders-GOAL(1)` for each goal. How text becomes the language of
//! man(7) is in `roff`. The pages have no date, so that the same version always has the same pages.

mod roff;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::flag::GLOBAL;
use crate::cli::help;
use crate::config::Table;
use crate::config::table::{Kind, Section};
use crate::report::exit_code;
use roff::Page;

/// Why the pages cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line names no directory, or several.
    #[error("`man-pages` needs one directory")]
    NoDirectory,
    /// A directory or file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The directory or file.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let advice = match self {
            Error::NoDirectory => "for example `waders man-pages ~/.local/share/man/man1`, where man(1) finds them",
            Error::Write { .. } => return None,
        };
        Some(advice.to_owned())
    }
}

/// Writes all pages into a directory, which is created if it does not exist. `goals` are the implemented goals.
pub fn write(table: &Table, goals: &[&str], dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.to_owned(), source })?;
    for (name, text) in pages(table, goals) {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}

/// The pages by file name.
fn pages(table: &Table, goals: &[&str]) -> BTreeMap<String, String> {
    let goals: Vec<&Section> = table.goals().filter(|goal| help::is_implemented(goal, goals)).collect();
    let mut pages = BTreeMap::from([("waders.1".to_owned(), main_page(table, &goals))]);
    pages.extend(goals.iter().map(|goal| (format!("waders-{}.1", goal.name), goal_page(goal))));
    pages
}

fn main_page(table: &Table, goals: &[&Section]) -> String {
    let mut page = Page::new("waders", env!("CARGO_PKG_DESCRIPTION"));
    page.section("SYNOPSIS");
    page.code("waders [flags] GOAL... [flags] [SPEC...] [-- ARGUMENTS...]");
    page.section("DESCRIPTION");
    page.text(
        "Waders reads the `pants.toml` and `BUILD` files of a repository, or the `pyproject.toml` of one without them, and runs every \
         step in a sandbox that contains the declared inputs, a pinned interpreter and nothing else. Results are cached by their inputs.",
    );
    page.section("GOALS");
    goals.iter().for_each(|goal| page.item(goal.name, goal.help));
    page.section("SPECS");
    for (spec, meaning) in help::SPECS {
        page.item(spec, meaning);
    }
    page.section("OPTIONS");
    page.text("These flags can stand anywhere. The page of a goal has the flags that can follow it.");
    table.section(GLOBAL).into_iter().for_each(|section| options(&mut page, section));
    page.section("EXIT STATUS");
    for (number, when) in exit_code::rows() {
        page.item(&number.to_string(), when);
    }
    page.section("FILES");
    for (file, contents) in FILES {
        page.item(file, contents);
    }
    page.section("SEE ALSO");
    let names: Vec<String> = goals.iter().map(|goal| format!("`waders-{}`(1)", goal.name)).collect();
    page.text(&names.join(", "));
    page.finish()
}

fn goal_page(goal: &Section) -> String {
    let mut page = Page::new(&format!("waders-{}", goal.name), goal.help);
    page.section("SYNOPSIS");
    page.code(&help::usage(goal));
    page.section("DESCRIPTION");
    page.text(goal.help);
    if goal.rows.values().any(|row| help::has_effect(goal, row)) {
        page.section("OPTIONS");
        options(&mut page, goal);
    }
    page.section("EXIT STATUS");
    page.text("`waders`(1) has the list.");
    page.section("SEE ALSO");
    page.text("`waders`(1)");
    page.finish()
}

/// The flags of a section that have an effect.
fn options(page: &mut Page, section: &Section) {
    for row in section.rows.values().filter(|row| help::has_effect(section, row)) {
        let name = help::flag_name(section, row);
        let flag = match row.entry.kind {
            Kind::Bool if row.default == true => format!("--[no-]{name}"),
            Kind::Bool => format!("--{name}"),
            kind => format!("--{name}={}", help::value_name(kind)),
        };
        page.item(&flag, &help::describe(row));
    }
}

const FILES: [(&str, &str); 4] = [
    ("pants.toml, waders.toml", "The settings. Options that Pants does not have belong into `waders.toml`."),
    ("BUILD", "The targets of a directory."),
    ("waders.lock", "The pinned system tree and interpreters."),
    ("~/.cache/waders", "The store, unless `[store] dir` or `XDG_CACHE_HOME` names another place."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_implemented_goal() {
        let pages = pages(Table::get(), &["list", "test"]);
        let names: Vec<&str> = pages.keys().map(String::as_str).collect();
        let expected =
            ["waders-complete.1", "waders-completions.1", "waders-list.1", "waders-man-pages.1", "waders-test.1"];
        assert_eq!(names, [&expected[..], &["waders.1"]].concat());
        assert!(pages["waders-test.1"].contains("\\-\\-use\\-coverage"), "{}", pages["waders-test.1"]);
    }

    #[test]
    fn pages_of_goals_without_options_have_no_empty_section() {
        let pages = pages(Table::get(), &["version"]);
        assert!(!pages["waders-version.1"].contains("OPTIONS"));
    }

    #[test]
    fn a_directory_that_cannot_be_created_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let error = write(Table::get(), &[], &dir.path().join("file/man1")).unwrap_err();
        assert!(error.to_string().contains("file/man1"), "{error}");
    }
}
