//! The documentation as a reader meets it: its links lead somewhere, its commands run, and each error with a hint has
//! a section. What single pages promise is tested where it is implemented.

mod commands;
mod hints;
mod links;
mod markdown;
mod screens;
mod svg;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The pages with their text: those of the site, and the Markdown files in the build root. Paths are relative to the build root.
fn pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for dir in ["", "docs/"] {
        let entries = std::fs::read_dir(root().join(dir)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names = names.filter(|name| name.ends_with(".md"));
        pages.extend(names.map(|name| (format!("{dir}{name}"), read(&format!("{dir}{name}")))));
    }
    pages.sort();
    pages
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
