//! Every error type with hints has a section in `docs/troubleshooting.md`, which names its file in a comment: `<!-- errors: FILE… -->`.
//! Whether each exit code has a section is tested in `src/cli/troubleshooting.rs`.

use std::collections::BTreeSet;

use super::{read, root};

/// The files that the comments of a page name, each with the heading above.
fn named(page: &str) -> Vec<(String, String)> {
    let mut heading = String::new();
    let mut named = Vec::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix('#') {
            heading = title.trim_start_matches('#').trim().to_owned();
        }
        let files = line.strip_prefix("<!-- errors: ").and_then(|rest| rest.strip_suffix(" -->"));
        named.extend(files.into_iter().flat_map(str::split_whitespace).map(|file| (file.to_owned(), heading.clone())));
    }
    named
}

/// Whether the code of a file gives hints: a function `hint` before the tests.
fn gives_hints(text: &str) -> bool {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    code.contains("fn hint(")
}

#[test]
fn every_error_with_hints_has_a_section_on_troubleshooting() {
    let sources = crate::tidy::files(&root(), &["src", "sandbox/src"], &["rs"]);
    let expected: BTreeSet<String> =
        sources.into_iter().filter(|(_, text)| gives_hints(text)).map(|(path, _)| path).collect();
    let named = named(&read("docs/troubleshooting.md"));
    let listed: BTreeSet<String> = named.iter().map(|(file, _)| file.clone()).collect();
    let missing: Vec<_> = expected.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md has no section for the errors of {missing:#?}");
    let gone: Vec<_> = listed.difference(&expected).collect();
    assert!(gone.is_empty(), "docs/troubleshooting.md names files without hints: {gone:#?}");
    assert_eq!(named.len(), listed.len(), "a file is named twice");
}

#[test]
fn files_belong_to_the_heading_above_them() {
    let page =
        "# A\n### B c\n<!-- errors: a.rs b.rs -->\ntext\n### D\n<!-- another comment -->\n<!-- errors: c.rs -->\n";
    let pair = |file: &str, heading: &str| (file.to_owned(), heading.to_owned());
    assert_eq!(named(page), [pair("a.rs", "B c"), pair("b.rs", "B c"), pair("c.rs", "D")]);
    assert!(gives_hints("impl Error {\n    pub fn hint(&self)") && !gives_hints("#[cfg(test)]\n\nfn hints()"));
    assert!(!gives_hints("x\n#[cfg(test)]\nmod tests {\n    fn hint() {}"));
}
