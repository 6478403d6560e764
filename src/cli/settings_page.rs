//! The page `docs/settings.md`: the sections that only Waders has, generated from the option table.

use crate::cli::help::describe;
use crate::config::Table;

/// In the order of the page.
const SECTIONS: [&str; 7] = ["reading", "system", "toolchain", "services", "sandbox", "store", "cache"];

/// Renders a heading and a table for each section, as Markdown.
pub(super) fn markdown(table: &Table) -> String {
    let mut out = String::new();
    for section in SECTIONS.iter().filter_map(|name| table.section(name)) {
        out += &format!("## `[{}]`\n\n{}\n\n| option | what |\n|---|---|\n", section.name, section.help);
        for row in section.rows.values() {
            out += &format!("| `{}` | {} |\n", row.entry.name, describe(row).replace('|', "\\|"));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_contains_the_option_table() {
        let document = include_str!("../../docs/settings.md");
        let page = markdown(Table::get());
        assert!(document.contains(&page), "docs/settings.md should contain:\n{page}");
    }
}
